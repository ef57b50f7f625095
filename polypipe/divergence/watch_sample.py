"""One update of `polypipe watch`: its numbers, their reasons, its JSON line. Nothing is asked and nothing is shown here.

The names in the JSON are those of the columns of table `snapshots`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from polypipe.divergence.pnl_gap import PnlGap, measure_gap
from polypipe.divergence.sources import SOURCES, Fetched, answered_at
from polypipe.facts import Fact
from polypipe.settings import short_address


@dataclass(frozen=True)
class LabelledWallet:
    """A wallet as it is named to people."""

    label: str
    address: str

    @property
    def name(self) -> str:
        """`swisstony (0xa1a1…a1a1)`; only the short address where there is no label."""
        short = short_address(self.address) or ""
        return f"{self.label} ({short})" if self.label not in ("", short) else short


@dataclass(frozen=True)
class WatchedPair:
    """Who is compared, and the ratio at which the copier follows."""

    copier: LabelledWallet
    whale: LabelledWallet
    ratio: float
    simulated: bool


@dataclass(frozen=True)
class WalletFigures:
    """The numbers of one wallet: USD, USD over the window, rank and volume (USD) of the day."""

    value: Fact[float]
    pnl: Fact[float]
    rank: Fact[int]
    volume: Fact[float]


@dataclass(frozen=True)
class Sample:
    """One update. `answered`: when each source last gave a usable answer, by the names of `Fetched.facts`."""

    time: datetime
    copier: WalletFigures
    whale: WalletFigures
    comparison: PnlGap
    failed: dict[str, str]  # source -> why it gave nothing
    nothing: bool  # not one source answered
    answered: dict[str, datetime]

    def facts(self) -> dict[str, Fact[Any]]:
        """Every number by name: all float, but for the ranks (int)."""
        return {
            **{f"user1_{name}": fact for name, fact in vars(self.copier).items()},
            **{f"user2_{name}": fact for name, fact in vars(self.whale).items()},
            "expected_pnl": self.comparison.expected,
            "pnl_vs_expected": self.comparison.gap,
            "pnl_vs_expected_percent": self.comparison.gap_percent,
            "pnl_efficiency": self.comparison.efficiency,
            "loss_share": self.comparison.loss_share,
        }


def sample_of(fetched: Fetched, ratio: float, before: Mapping[str, datetime]) -> Sample:
    """The sample that follows from the answers. `before`: `answered` of the sample before, or empty."""
    copier, whale = fetched.copier, fetched.whale
    comparison = measure_gap(copier.pnl, whale.pnl, copier.value, ratio, fetched.time)
    return Sample(
        time=fetched.time,
        copier=WalletFigures(copier.value, comparison.copier_pnl, copier.rank, copier.volume),
        whale=WalletFigures(whale.value, comparison.whale_pnl, whale.rank, whale.volume),
        comparison=comparison,
        failed={name: fact.reason for name, fact in fetched.facts().items() if fact.reason is not None},
        nothing=fetched.nothing,
        answered=answered_at(fetched, before),
    )


def json_line(sample: Sample, pair: WatchedPair) -> str:
    """The sample as one JSON object without a line break: every number, null with its reason under `reasons`."""
    facts = sample.facts()
    window = sample.comparison.window
    ages = {name: (sample.time - time).total_seconds() for name, time in sample.answered.items()}
    body: dict[str, Any] = {
        "timestamp": sample.time.isoformat(),
        "user1_label": pair.copier.label,
        "user1_address": pair.copier.address,
        "user2_label": pair.whale.label,
        "user2_address": pair.whale.address,
        "scaling_ratio": pair.ratio,
        **{name: fact.value for name, fact in facts.items()},
        "window_start": _iso(window.start),
        "window_end": _iso(window.end),
        "hours_covered": window.hours if window.points else None,
        "sources": {
            name: {"ok": name not in sample.failed, "age": ages.get(name)}
            for name in (f"user{user}_{source}" for user in (1, 2) for source in SOURCES)
        },
        "reasons": {**sample.failed, **{name: fact.reason for name, fact in facts.items() if fact.value is None}},
        "simulated": pair.simulated,
    }
    return json.dumps(body, ensure_ascii=False, allow_nan=False)


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
