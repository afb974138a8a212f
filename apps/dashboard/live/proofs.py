"""Signs what a customer's server would sign for its page: joining a channel, signing a user in."""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext as _

from apps.core.errors import Category, HouseError, InvalidInput
from apps.realtime.errors import BadChannel
from apps.realtime.protocol import channels, messages, signing
from apps.tenants.queries import ApplicationRecord


class NoActiveKey(HouseError):
    category = Category.CONFLICT
    code = "no_active_key"
    default_message = _("This application has no active key. Add one first.")


def channel_proof(
    record: ApplicationRecord, *, socket_id: str, channel: str, user_id: str, user_name: str
) -> dict[str, str]:
    """`auth`, and `channel_data` for a presence channel. Raises InvalidInput, BadChannel, NoActiveKey."""
    _require_socket_id(socket_id)
    if not channels.is_channel_name(channel):
        raise BadChannel
    if not channels.kind_of(channel).is_presence:
        return {"auth": _auth(record, signing.channel_text(socket_id, channel, None))}
    _require_user_id(user_id)
    channel_data = _packed({"user_id": user_id, "user_info": {"name": user_name}})
    text = signing.channel_text(socket_id, channel, channel_data)
    return {"auth": _auth(record, text), "channel_data": channel_data}


def user_proof(record: ApplicationRecord, *, socket_id: str, user_id: str) -> dict[str, str]:
    """`auth` and `user_data`. Raises InvalidInput, NoActiveKey."""
    _require_socket_id(socket_id)
    _require_user_id(user_id)
    user_data = _packed({"id": user_id})
    return {"auth": _auth(record, signing.sign_in_text(socket_id, user_data)), "user_data": user_data}


def active_key(record: ApplicationRecord) -> str:
    """The oldest key that works. Raises NoActiveKey."""
    if not record.credentials:
        raise NoActiveKey
    return next(iter(record.credentials))


def _auth(record: ApplicationRecord, text: str) -> str:
    key = active_key(record)
    return f"{key}:{signing.sign(record.credentials[key], text)}"


def _require_socket_id(value: str) -> None:
    if not messages.is_socket_id(value):
        raise InvalidInput(fields={"socket_id": [_("This is not the id of a connection.")]})


def _require_user_id(value: str) -> None:
    if not channels.is_user_id(value):
        problem = _("Use 1 to 128 of the characters a-z A-Z 0-9 _ - = @ , . ;")
        raise InvalidInput(_("The subscriber's id cannot be used here."), fields={"user_id": [problem]})


def _packed(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
