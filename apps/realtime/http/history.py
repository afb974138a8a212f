"""GET /channels/C/history: what a channel's log still holds, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.realtime.engine import Engine
from apps.realtime.errors import BadChannel, BadRequest, SwitchedOff
from apps.realtime.history import LogState, Range
from apps.realtime.http.messages import Reply, Request
from apps.realtime.protocol.channels import is_channel_name
from apps.realtime.protocol.messages import parse
from apps.realtime.protocol.publications import MAX_OFFSET, Position, Publication, parse_position
from apps.tenants.queries import ApplicationRecord

MAX_PAGE, DEFAULT_PAGE = 300, 100


@dataclass(frozen=True, slots=True)
class _Page:
    """since: not included."""

    since: Position | None
    forwards: bool
    limit: int

    def range(self, since: Position | None) -> Range:
        """One more than a page, to see whether there is another one."""
        if self.forwards:
            return Range(since.offset + 1 if since else 0, None, self.limit + 1)
        return Range(since.offset - 1 if since else MAX_OFFSET, 0, self.limit + 1)


async def get_history(engine: Engine, record: ApplicationRecord, request: Request, channel: str) -> Reply:
    """`direction` backwards (newest first, the default) or forwards, `since` a position `EPOCH:OFFSET`, `limit`.

    The answer's `next` is the `since` of the next page. `complete` is false when publications that followed `since` are
    no longer there; the page then begins with what is. Raises BadChannel, BadRequest,
    SwitchedOff, LinkLost, CommandFailed.
    """
    if not is_channel_name(channel):
        raise BadChannel
    if not record.settings.history_api:
        raise SwitchedOff("history_api")
    page = _page(request.parameters())
    state = await engine.logs.read(record.application_id, channel, page.range(page.since))
    is_same_epoch = page.since is None or page.since.epoch == state.mark.position.epoch
    if not is_same_epoch:
        state = await engine.logs.read(record.application_id, channel, page.range(None))
    items, more = list(state.publications[: page.limit]), len(state.publications) > page.limit
    return Reply({
        "epoch": state.mark.position.epoch, "offset": state.mark.position.offset,
        "items": [_item(each) for each in items],
        "next": str(items[-1].position) if more else None,
        "complete": is_same_epoch and _is_complete(page, state),
    })  # fmt: skip


def _is_complete(page: _Page, state: LogState) -> bool:
    if page.since is None or not page.forwards:
        return True
    first = state.publications[0].mark.position.offset if state.publications else state.mark.position.offset + 1
    return first == page.since.offset + 1


def _item(publication: Publication) -> dict[str, Any]:
    message = parse(publication.json)
    return {
        "message_id": publication.id, "epoch": publication.mark.position.epoch,
        "offset": publication.mark.position.offset, "event": message.event, "data": message.data,
    }  # fmt: skip


def _page(parameters: dict[str, str]) -> _Page:
    direction, limit = parameters.get("direction", "backwards"), parameters.get("limit", str(DEFAULT_PAGE))
    if direction not in ("forwards", "backwards"):
        raise BadRequest("direction is forwards or backwards.")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 5 and 1 <= int(limit) <= MAX_PAGE):
        raise BadRequest(f"limit is a whole number from 1 to {MAX_PAGE}.")
    since = None
    if parameters.get("since"):
        since = parse_position(parameters["since"])
        if since is None:
            raise BadRequest("since is a position: EPOCH:OFFSET.")
    return _Page(since, direction == "forwards", int(limit))
