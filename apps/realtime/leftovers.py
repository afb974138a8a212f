"""What connections leave when they end: cycles of the servers' own objects, which only Python's collector finds.

Collections come seldom in a gateway (see serve.py), and to what has lived through some almost never. So they are asked
for by the number of connections that have ended.
"""

from __future__ import annotations

import gc

#: Ended connections that are worth a collection, and the share of the open ones that must have ended besides: a
#: collection looks at all that is open, for tens of microseconds each.
_FEW, _SHARE = 250, 4


class Leftovers:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self.ended = 0

    def collect(self, open_count: int) -> bool:
        """Whether it was time to."""
        if self.ended < max(_FEW, open_count // _SHARE):
            return False
        self.ended = 0
        gc.collect()
        return True
