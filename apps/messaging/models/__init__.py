"""What is sent, to whom, and what became of it."""

from apps.messaging.models.inbox import InboxItem, InboxQuerySet
from apps.messaging.models.ledger import Chunk, Delivery, SendingTurn, SliceTally
from apps.messaging.models.message import Message, Template
from apps.messaging.models.receipts import ConversionCursor, Receipt, ReceiptTally
from apps.messaging.models.tallies import DeliveryTally
from apps.messaging.models.waiting import WaitingPush

__all__ = [
    "Chunk",
    "ConversionCursor",
    "Delivery",
    "DeliveryTally",
    "InboxItem",
    "InboxQuerySet",
    "Message",
    "Receipt",
    "ReceiptTally",
    "SendingTurn",
    "SliceTally",
    "Template",
    "WaitingPush",
]
