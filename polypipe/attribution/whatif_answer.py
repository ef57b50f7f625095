"""The answer of a what-if, as `polypipe whatif --json` and the API publish it."""

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from polypipe.attribution.ratio_advice import CANNOT_ADVISE, Advice
from polypipe.attribution.rule_outcome import RuleOutcome
from polypipe.divergence.copy_rule import Rule

OF = {
    "plain ratio in force": ("expected_in_force", "gap_in_force"),
    "bot's rule in force": ("coverage_in_force", "replayed_in_force", "replay_error"),
    "plain ratio of your rule": ("plain_pnl",),
    "your rule": ("expected_pnl", "replayed_pnl", "gap", "coverage", "paper", "grid", "advice"),
    "measured": ("copier_pnl", "whale_pnl"),
}
"""What each number is of: published as `fields`."""


@dataclass
class WhatIf:
    """The answer. PnL in USD over the known days, in cents that add up; every None has its reason in `reasons`.

    `fields` says which rule each number is of. `expected_pnl` is what the rule would make if every fill was copied at the
    whale's price; `plain_pnl` is its ratio x whale PnL, and `gap` is `replayed_pnl` minus that. `replay_error` is
    `replayed_in_force` minus `copier_pnl` over the `replay_days`. `paper` is the outcome of the rule; the name is part of
    the published JSON. `grid` has `GridRow`s.
    """

    rule: Rule
    first: date
    last: date
    days: int
    days_known: int
    ratio_in_force: float
    copier_pnl: float | None = None
    whale_pnl: float | None = None
    expected_in_force: float | None = None
    gap_in_force: float | None = None
    expected_pnl: float | None = None
    replayed_pnl: float | None = None
    replayed_low: float | None = None
    replayed_high: float | None = None
    plain_pnl: float | None = None
    gap: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    replay_days: int = 0
    replayed_in_force: float | None = None
    replay_error: float | None = None
    coverage_in_force: float | None = None
    coverage: float | None = None
    paper: RuleOutcome = field(default_factory=RuleOutcome)
    grid: list[dict[str, Any]] = field(default_factory=list)
    advice: Advice = CANNOT_ADVISE
    size_curve: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, list[str]] = field(default_factory=lambda: {of: [*names] for of, names in OF.items()})
    reasons: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """All fields, with plain types."""
        rule = {"ratio": self.rule.ratio, "floor": self.rule.floor, "tiers": self.rule.tiers}
        shown = {
            "rule": rule,
            "bot_profile": self.rule.bot.name,
            "first": str(self.first),
            "last": str(self.last),
            "rule_in_words": self.rule.describe(),
        }
        return asdict(self) | shown
