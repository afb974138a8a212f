"""The people an application talks to, the groups they fall into, and the devices they are reached on."""

from apps.audience.models.behaviour import BehaviourEvent, BehaviourEventKey
from apps.audience.models.devices import REACHABLE, AddressKind, Device, Environment, Platform
from apps.audience.models.imports import (
    IMPORT_ACTIVE,
    IMPORT_FINAL,
    ImportFormat,
    ImportJob,
    ImportRejection,
    ImportState,
)
from apps.audience.models.people import Segment, Subscriber, SubscriberAlias, SubscriberQuerySet
from apps.audience.models.preferences import OptOut, PreferenceCategory
from apps.audience.models.watching import EventWatch, WatchedEvent

__all__ = [
    "IMPORT_ACTIVE",
    "IMPORT_FINAL",
    "REACHABLE",
    "AddressKind",
    "BehaviourEvent",
    "BehaviourEventKey",
    "Device",
    "Environment",
    "EventWatch",
    "ImportFormat",
    "ImportJob",
    "ImportRejection",
    "ImportState",
    "OptOut",
    "Platform",
    "PreferenceCategory",
    "Segment",
    "Subscriber",
    "SubscriberAlias",
    "SubscriberQuerySet",
    "WatchedEvent",
]
