"""One call's requests, handed out one by one to whichever connection has a stream free."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from apps.providers.exchanges import NOT_BEGUN, Answer, Lost, Reply, Request

#: After so many requests in a row that could not even be sent, the rest of the call is not tried.
HOPELESS_AFTER = 3
#: How often a request is sent that was refused before anybody looked at it.
_TRIES = 5
_UNREACHABLE = Lost(False, "unreachable")


class Call:
    """until: by the monotonic clock, when nothing more is begun. fatal: statuses with the same effect.

    is_done: every request that was handed out has its end, and no more are handed out. on_done: called once then.
    """

    def __init__(
        self,
        requests: Sequence[Request],
        until: float,
        fatal: frozenset[int],
        on_done: Callable[[], None] | None = None,
    ) -> None:
        self._requests, self._until, self._fatal = requests, until, fatal
        self._answers: list[Answer] = [NOT_BEGUN] * len(requests)
        self._at = self._under_way = self._unsent_in_a_row = 0
        self._again: list[int] = []
        self._tries: dict[int, int] = {}
        self._is_stopped = False
        self._on_done = on_done
        self.size = len(requests)

    @property
    def answers(self) -> list[Answer]:
        return [_UNREACHABLE if a is NOT_BEGUN else a for a in self._answers] if self.is_hopeless else self._answers

    @property
    def is_hopeless(self) -> bool:
        return self._unsent_in_a_row >= HOPELESS_AFTER

    @property
    def left(self) -> int:
        """Requests that may still be handed out."""
        if self._is_stopped or self.is_hopeless or time.monotonic() > self._until:
            return 0
        return self.size - self._at + len(self._again)

    @property
    def is_done(self) -> bool:
        return not self._under_way and not self.left

    def next(self) -> tuple[int, Request] | None:
        if not self.left:
            return None
        if self._again:
            index = self._again.pop()
        else:
            index, self._at = self._at, self._at + 1
        self._under_way += 1
        return index, self._requests[index]

    def record(self, index: int, answer: Answer) -> None:
        self._answers[index] = answer
        self._under_way -= 1
        if isinstance(answer, Reply):
            self._unsent_in_a_row = 0
            if answer.status in self._fatal:
                self._is_stopped = True
        else:
            self._unsent_in_a_row = 0 if answer.sent else self._unsent_in_a_row + 1
        if not self._under_way:
            self._look_whether_done()

    def put_back(self, index: int, reason: str) -> None:
        """Of a request that was surely not processed: it is handed out again, so and so often. reason: the server's."""
        self._tries[index] = self._tries.get(index, 1) + 1
        if self._tries[index] > _TRIES:
            self.record(index, Lost(False, reason))
            return
        self._under_way -= 1
        self._again.append(index)
        self._look_whether_done()

    def stop(self) -> None:
        """Nothing more is handed out."""
        self._is_stopped = True
        self._look_whether_done()

    def _look_whether_done(self) -> None:
        if self._on_done is not None and self.is_done:
            done, self._on_done = self._on_done, None
            done()
