"""Virtual users: the bound on what is in flight."""

from __future__ import annotations


class VirtualUsers:
    """Each carries one request at a time. A request that falls due while all are busy adds one, up to the most."""

    def __init__(self, fewest: int, most: int) -> None:
        self.count = fewest
        self.busy = 0
        self._most = most

    def free(self) -> bool:
        """Whether a request that is due now would find one."""
        return self.busy < self._most

    def take(self) -> bool:
        """Makes one busy; False when all are and there can be no more."""
        if not self.free():
            return False
        self.busy += 1
        self.count = max(self.count, self.busy)
        return True

    def give_back(self) -> None:
        self.busy -= 1
