"""One update of `polypipe watch`: its numbers, their reasons, and its JSON line. Pure.

The JSON fields are named like the columns of table `snapshots`.
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
    """A wallet with its label for display."""

    label: str
    address: str

    @property
    def name(self) -> str:
        """`swisstony (0xa1a1…a1a1)`; only the short address without a label."""
        short = short_address(self.address) or ""
        return f"{self.label} ({short})" if self.label not in ("", short) else short


@dataclass(frozen=True)
class WatchedPair:
    """The pair that is watched. `simulated`: its data comes from the simulated exchange."""

    copier: LabelledWallet
    whale: LabelledWallet
    ratio: float
    simulated: bool


@dataclass(frozen=True)
class WalletFigures:
    """One wallet: value in USD, PnL in USD over the window, rank and volume in USD of the day."""

    value: Fact[float]
    pnl: Fact[float]
    rank: Fact[int]
    volume: Fact[float]


@dataclass(frozen=True)
class Sample:
    """One update. `failed`: source -> why it did not answer. `answered`: when each source last gave a usable answer.

    Sources are named as in `Fetched.facts`. `no_answer`: no source answered.
    """

    time: datetime
    copier: WalletFigures
    whale: WalletFigures
    pnl_gap: PnlGap
    failed: dict[str, str]
    no_answer: bool
    answered: dict[str, datetime]

    def facts(self) -> dict[str, Fact[Any]]:
        """Every number by name: floats, and ints for the ranks."""
        return {
            **{f"user1_{name}": fact for name, fact in vars(self.copier).items()},
            **{f"user2_{name}": fact for name, fact in vars(self.whale).items()},
            "expected_pnl": self.pnl_gap.expected,
            "pnl_vs_expected": self.pnl_gap.gap,
            "pnl_vs_expected_percent": self.pnl_gap.gap_percent,
            "pnl_efficiency": self.pnl_gap.efficiency,
            "loss_share": self.pnl_gap.loss_share,
        }


def sample_of(fetched: Fetched, ratio: float, before: Mapping[str, datetime]) -> Sample:
    """The sample for these answers. `before` is `answered` of the last sample, or empty."""
    copier, whale = fetched.copier, fetched.whale
    pnl_gap = measure_gap(copier.pnl, whale.pnl, copier.value, ratio, fetched.time)
    return Sample(
        time=fetched.time,
        copier=WalletFigures(copier.value, pnl_gap.copier_pnl, copier.rank, copier.volume),
        whale=WalletFigures(whale.value, pnl_gap.whale_pnl, whale.rank, whale.volume),
        pnl_gap=pnl_gap,
        failed={name: fact.reason for name, fact in fetched.facts().items() if fact.reason is not None},
        no_answer=fetched.no_answer,
        answered=answered_at(fetched, before),
    )


def json_line(sample: Sample, pair: WatchedPair) -> str:
    """The sample as one line of JSON. An unknown number is null, with its reason in `reasons`."""
    facts = sample.facts()
    window = sample.pnl_gap.window
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
