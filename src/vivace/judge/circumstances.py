"""What a run was to measure and what befell it: what a verdict needs besides the figures."""

from __future__ import annotations

from dataclasses import dataclass

from vivace.profile.quantity import Part


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """Everything is as it should be unless it says otherwise."""

    sends: bool = True
    """Whether the run was to send."""
    asks: bool = True
    """Whether it was to query."""
    probes: bool = True
    """Whether it was to read back what was acknowledged."""
    unbalanced: tuple[str, ...] = ()
    """What does not balance in the ledgers, in plain words."""
    failures: tuple[str, ...] = ()
    """What went wrong with the generator's own processes."""
    target_failure: str | None = None
    """What went wrong with the target's processes, as far as they are known."""

    def measures(self, part: Part) -> bool:
        """Whether objectives about this part of the figures apply."""
        return {Part.INGEST: self.sends, Part.QUERY: self.asks, Part.VERIFICATION: self.sends and self.probes}.get(
            part, True
        )
