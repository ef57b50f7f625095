"""What `polypipe watch` remembers from its start to its end."""

from dataclasses import dataclass, field
from datetime import datetime

from polypipe.divergence.watch_sample import Sample, WatchedPair

NEWEST_KEPT = 240  # samples: more than a sparkline can show


@dataclass
class Session:
    """One run of the watch. `first` holds the first known value of each number, `gaps` the extremes of the divergence."""

    pair: WatchedPair
    interval: float
    began: datetime
    updates: int = 0
    partial: int = 0  # updates in which some sources gave nothing
    outages: int = 0  # updates in which no source gave anything
    outage_since: datetime | None = None
    samples: list[Sample] = field(default_factory=list)  # the newest ones
    first: dict[str, float] = field(default_factory=dict)
    gaps: tuple[float, float] | None = None
    saved: int = 0

    def add(self, sample: Sample) -> None:
        """Take a new sample into account."""
        self.updates += 1
        self.partial += bool(sample.failed) and not sample.nothing
        self.outages += sample.nothing
        self.outage_since = (self.outage_since or sample.time) if sample.nothing else None
        for name, fact in sample.facts().items():
            if fact.value is not None:
                self.first.setdefault(name, fact.value)
        gap = sample.comparison.gap.value
        if gap is not None:
            low, high = self.gaps or (gap, gap)
            self.gaps = min(low, gap), max(high, gap)
        self.samples = [*self.samples[1 - NEWEST_KEPT :], sample]  # never changed in place: the panel draws from a thread

    def changes(self, name: str) -> tuple[float | None, float | None]:
        """How much a number changed since the update before and since its first known value; None where unknown."""
        now = self.samples[-1].facts()[name].value
        if now is None:
            return None, None
        before = self.samples[-2].facts()[name].value if len(self.samples) > 1 else None
        return None if before is None else now - before, now - self.first[name]
