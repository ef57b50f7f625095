"""State of one run of `polypipe watch`."""

from dataclasses import dataclass, field
from datetime import datetime

from polypipe.divergence.watch_sample import Sample, WatchedPair

NEWEST_KEPT = 240  # samples: more than a sparkline shows


@dataclass
class Session:
    """One run of the watch. `first` holds the first known value of each number, `gap_range` the extremes of the gap."""

    pair: WatchedPair
    interval: float
    began: datetime
    updates: int = 0
    partial: int = 0  # updates in which some sources failed
    outages: int = 0  # updates in which every source failed
    outage_since: datetime | None = None
    samples: list[Sample] = field(default_factory=list)  # the newest
    first: dict[str, float] = field(default_factory=dict)
    gap_range: tuple[float, float] | None = None
    saved: int = 0

    def add(self, sample: Sample) -> None:
        """Add a sample."""
        self.updates += 1
        self.partial += bool(sample.failed) and not sample.no_answer
        self.outages += sample.no_answer
        self.outage_since = (self.outage_since or sample.time) if sample.no_answer else None
        for name, fact in sample.facts().items():
            if fact.value is not None:
                self.first.setdefault(name, fact.value)
        gap = sample.pnl_gap.gap.value
        if gap is not None:
            low, high = self.gap_range or (gap, gap)
            self.gap_range = min(low, gap), max(high, gap)
        self.samples = [
            *self.samples[1 - NEWEST_KEPT :],
            sample,
        ]  # replaced, not changed in place: the panel is drawn by a thread

    def changes(self, name: str) -> tuple[float | None, float | None]:
        """Change of a number since the last update and since its first known value; None where unknown."""
        now = self.samples[-1].facts()[name].value
        if now is None:
            return None, None
        before = self.samples[-2].facts()[name].value if len(self.samples) > 1 else None
        return None if before is None else now - before, now - self.first[name]
