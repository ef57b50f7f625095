"""The replays of a what-if: the rule asked for, and a grid of ratios, floors, tiers and latencies around it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import Any

from polypipe.attribution.cents import in_cents
from polypipe.attribution.ratio_advice import CANNOT_ADVISE, Advice, Option, advise
from polypipe.attribution.replay import Replay, replay
from polypipe.attribution.replay_amounts import Amount, Days, RuleAmounts, amounts
from polypipe.attribution.replay_input import ReplayInput
from polypipe.attribution.replay_latency import Markouts, latency_shift
from polypipe.attribution.size_curve import Terms
from polypipe.divergence.copy_rule import Rule

RATIOS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Multiples of the ratio in force. Twice the sizes that were copied is as far as the copier's slippage tells."""

FLOORS = (0.0, 10.0, 50.0, 250.0, 1000.0)
"""Shares."""

LATENCIES = (0.5, 1.0, 2.0)
"""Multiples of each copy's latency."""

NO_TIERS = ((4000.0, 1.0),)
"""A tier of factor 1, which disables the bot's."""

AMOUNTS = ("copier_pnl", "gap", "cost", "capital", "drawdown")


@dataclass(frozen=True)
class GridRow:
    """One rule of the grid. `dimension` is what varies: ratio, floor, tiers or latency; `label` names its value.

    `in_force` and `asked` mark the values in force and asked for. `amounts` has the numbers of `AMOUNTS` in USD.
    """

    dimension: str
    label: str
    value: float | None
    in_force: bool
    asked: bool
    amounts: Mapping[str, Amount]

    def as_json(self) -> dict[str, Any]:
        """Each number with `_low` and `_high`, to the cent, and the reasons for nulls."""
        row: dict[str, Any] = {name: getattr(self, name) for name in ("dimension", "label", "value", "in_force", "asked")}
        reasons: dict[str, str] = {}
        for name, amount in self.amounts.items():
            for end, usd in (("", amount.value), ("_low", amount.low), ("_high", amount.high)):
                row[f"{name}{end}"] = None if usd is None else in_cents(usd)
                if usd is None and amount.why is not None:
                    reasons[f"{name}{end}"] = amount.why
        return row | {"reasons": reasons}


@dataclass
class Grid:
    """The replay of the rule asked for, all rows, and the advice."""

    asked: RuleAmounts
    held: Mapping[str, float]
    rows: list[GridRow] = field(default_factory=list)
    advice: Advice = CANNOT_ADVISE


def grid_of(given: ReplayInput, rule: Rule, terms: Terms, days: Days, markouts: Mapping[int, Markouts]) -> Grid:
    """Replay a rule and those around it. `markouts` by place of the day."""
    replays: dict[Rule, tuple[Replay, RuleAmounts]] = {}

    def of(one: Rule) -> RuleAmounts:
        if one not in replays:
            found = replay(given, one, terms)
            replays[one] = found, amounts(found, one.ratio, days, terms.curve)
        return replays[one][1]

    asked = of(rule)
    played = replays[rule][0]
    grid = Grid(asked, played.held)

    def add(dimension: str, values: list[tuple[str, float | None, bool, Rule]]) -> None:
        grid.rows += [
            GridRow(dimension, label, value, in_force, one == rule, _named(of(one)))
            for label, value, in_force, one in values
        ]

    # Nine digits: 1.5 x 0.1 is the 0.15 that is asked for.
    ratios = sorted({*(float(f"{days.ratio * part:.9g}") for part in RATIOS if part != 1), days.ratio, rule.ratio})
    by_ratio = {ratio: replace(rule, ratio=ratio) for ratio in ratios}
    add("ratio", [(f"{ratio:.4g}", ratio, ratio == days.ratio, one) for ratio, one in by_ratio.items()])
    floors = sorted({*FLOORS, rule.bot.floor_shares, rule.floor})
    add("floor", [(f"{floor:g}", floor, floor == rule.bot.floor_shares, replace(rule, floor=floor)) for floor in floors])
    tiers = {"none": NO_TIERS, _tiers(rule.bot.tiers): rule.bot.tiers or NO_TIERS, _tiers(rule.tiers): rule.tiers}
    bots = _tiers(rule.bot.tiers)
    add("tiers", [(label, None, label == bots, replace(rule, tiers=found)) for label, found in tiers.items()])
    grid.rows += [_late(played, asked, factor, days, markouts) for factor in LATENCIES]
    options = [Option(ratio, of(by_ratio[ratio])) for ratio in ratios if ratio <= max(RATIOS) * days.ratio]
    grid.advice = advise(Option(days.ratio, of(by_ratio[days.ratio])), options, days, terms.curve)
    return grid


def _tiers(tiers: tuple[tuple[float, float], ...]) -> str:
    return ", ".join(f"{size:g}:{factor:g}" for size, factor in sorted(tiers) if factor != 1) or "none"


def _named(found: RuleAmounts) -> dict[str, Amount]:
    return {name: getattr(found, name) for name in AMOUNTS}


def _late(played: Replay, asked: RuleAmounts, factor: float, days: Days, markouts: Mapping[int, Markouts]) -> GridRow:
    """The rule asked for at another latency: PnL, gap and cost shift by the markouts, the rest stays."""
    label = {0.5: "half", 1.0: "same", 2.0: "double"}[factor]
    found = _named(asked)
    if factor != 1:
        places = set(days.places)
        delays = [delay for delay in played.delays if delay[0] in places]
        shift = latency_shift(delays, {place: one for place, one in markouts.items() if place in places}, factor)
        for name, sign in (("copier_pnl", 1), ("gap", 1), ("cost", -1)):
            found[name] = _shifted(found[name], shift.usd, shift.half, shift.why, sign)
        for name in ("capital", "drawdown"):
            found[name] = Amount(None, why="latency changes it by an unknown amount")
    return GridRow("latency", label, factor, factor == 1, factor == 1, found)


def _shifted(amount: Amount, usd: float | None, half: float | None, why: str | None, sign: int) -> Amount:
    if usd is None or amount.value is None:
        return Amount(None, why=why)
    value = amount.value + sign * usd
    if half is None or amount.low is None or amount.high is None:
        return Amount(value, why=amount.why or why)
    return Amount(
        value,
        value - sqrt((amount.value - amount.low) ** 2 + half**2),
        value + sqrt((amount.high - amount.value) ** 2 + half**2),
    )
