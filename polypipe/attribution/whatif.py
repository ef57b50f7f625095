"""Expected PnL, gap and coverage over stored days under another ratio, floor or tier rule.

Expected PnL under a rule is ratio x the whale's measured PnL, plus the effect of its floor and tiers: the shares beyond
or short of the plain ratio, from the whale's price to the mark, as if the rule had been in force for all stored fills.
The copier's PnL is the actual one: the gap tells how far it was from the rule, not what the rule would have made.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from polypipe.attribution.cents import in_cents, pnl_in_cents
from polypipe.attribution.days import DAY, LOOK_BACK, span_of
from polypipe.attribution.measured import read_measured
from polypipe.attribution.metrics import metric_rows
from polypipe.attribution.realised_ratio import ratio_warning
from polypipe.attribution.rule_outcome import RuleOutcome, follow_rule
from polypipe.attribution.stored_marks import read_marks
from polypipe.attribution.tables import read_copy_fills, read_sets
from polypipe.divergence.copy_rule import Rule, rule_of
from polypipe.text import count
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse


@dataclass
class WhatIf:
    """The answer. PnL in USD over the known days, in cents that add up; every None has its reason in `reasons`.

    Names with `in_force` are for the ratio in force: expected PnL is ratio x whale PnL, coverage is by the bot's rule.
    `paper` is the outcome of the rule; the name is part of the published JSON.
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
    gap: float | None = None
    coverage_in_force: float | None = None
    coverage: float | None = None
    paper: RuleOutcome = field(default_factory=RuleOutcome)
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


def what_if(
    warehouse: Warehouse, wallets: Wallets, rule: Rule, first: date | None = None, last: date | None = None
) -> WhatIf:
    """Evaluate a rule on the days from `first` to `last`, both included; on the last 30 stored days without them.

    Raises `PolypipeError`.
    """
    with warehouse.read() as con:
        start, end = span_of(con, wallets, first, last)
        measured = read_measured(con, wallets, start, end)
        known = {day: found for day, found in measured.items() if found.gap is not None}
        in_force = measured[max(measured)].ratio if measured else wallets.ratio
        days = (end - start) // DAY
        answer = WhatIf(rule, start.date(), (end - DAY).date(), days, len(known), in_force)
        fills = read_copy_fills(con, wallets, start - LOOK_BACK, end)
        prices = read_marks(con, wallets, start - LOOK_BACK, end + LOOK_BACK)
        sets = read_sets(con, wallets, start - LOOK_BACK, end)
        (realised,) = metric_rows(con, wallets, [end - DAY], [days])[0]
    span = start.timestamp(), end.timestamp()
    answer.paper = follow_rule(fills, sets, prices, rule, *span, counting=_runs(sorted(known)))
    answer.coverage = answer.paper.coverage
    answer.coverage_in_force = follow_rule(fills, sets, prices, rule_of(wallets.bot, in_force), *span).coverage
    for name in ("coverage", "coverage_in_force"):
        if getattr(answer, name) is None:
            answer.reasons[name] = "the rule holds no position worth an order at the end"
    if known:
        copier, whale, gap = (
            math.fsum(getattr(found, name) or 0.0 for found in known.values())
            for name in ("copier_pnl", "whale_pnl", "gap")
        )
        answer.expected_in_force, answer.copier_pnl, answer.gap_in_force = pnl_in_cents(copier, gap)
        answer.whale_pnl = in_cents(whale)
        of_rule = rule.ratio * whale + answer.paper.effect
        answer.expected_pnl, _, answer.gap = pnl_in_cents(copier, copier - of_rule)
    else:
        names = ("copier_pnl", "whale_pnl", "expected_in_force", "gap_in_force", "expected_pnl", "gap")
        answer.reasons |= dict.fromkeys(names, "the PnL of both wallets is unknown on all of these days")
    if 0 < len(known) < days:
        answer.warnings.append(f"the PnL of both wallets is known on {len(known)} of {days} days; the others are excluded")
    if not answer.paper.fills:
        answer.warnings.append("no fills of the whale are matched on these days: materialize copy_fills for them")
    elif realised["days_known"] < days:
        answer.warnings.append(
            f"the whale's fills are matched on {realised['days_known']} of {days} days: floor, tiers and coverage "
            "ignore the others"
        )
    if answer.paper.without_price:
        tokens = count(answer.paper.without_price, "token has", "tokens have")
        answer.warnings.append(f"{tokens} no known price and count as unmoved")
    if wallets.bot.strategy:
        answer.warnings.append(
            f"the bot sizes its orders by COPY_STRATEGY {wallets.bot.strategy}, which has no constant ratio: expected PnL "
            "and gap compare with the ratio in force"
        )
    if warning := ratio_warning(realised["realised_ratio"], realised["realised_pairs"], in_force):
        answer.warnings.append(warning)
    return answer


def _runs(days: Sequence[datetime]) -> list[tuple[float, float]]:
    """Days in order as spans in epoch seconds; consecutive days form one span."""
    runs: list[tuple[float, float]] = []
    for day in days:
        begins, ends = day.timestamp(), (day + DAY).timestamp()
        if runs and runs[-1][1] == begins:
            runs[-1] = runs[-1][0], ends
        else:
            runs.append((begins, ends))
    return runs
