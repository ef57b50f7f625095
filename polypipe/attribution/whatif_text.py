"""A what-if answer as text for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from polypipe.attribution.whatif_answer import WhatIf
from polypipe.attribution.whatif_grid import AMOUNTS
from polypipe.text import money

_WIDTH = 24
_HEADS = {"copier_pnl": "copier PnL", "gap": "gap", "cost": "cost", "capital": "capital at peak", "drawdown": "drawdown"}


def whatif_lines(answer: WhatIf) -> list[str]:
    """Lines of the answer."""
    paper = answer.paper

    def shown(name: str, ends: str = "") -> str:
        value = getattr(answer, name)
        if value is None:
            return f"unknown: {answer.reasons[name]}"
        low, high = (getattr(answer, f"{ends}_{end}", None) for end in ("low", "high"))
        return money(value) + ("" if low is None or high is None else f" (95 % {money(low)} to {money(high)})")

    def covered(name: str) -> str:
        value = getattr(answer, name)
        return f"unknown: {answer.reasons[name]}" if value is None else f"{value:.1f} %"

    effect = "" if answer.expected_pnl is None else f" ({money(paper.effect)} of it from floor and tiers)"
    return [
        f"{answer.first} to {answer.last}, {answer.days_known} of {answer.days} days known",
        f"  copier PnL               {shown('copier_pnl')}",
        f"  whale PnL                {shown('whale_pnl')}",
        f"in force: ratio {answer.ratio_in_force:g} on the last day",
        f"  expected PnL             {shown('expected_in_force')}",
        f"  gap                      {shown('gap_in_force')}",
        f"  coverage at the end      {covered('coverage_in_force')}",
        f"what if: {answer.rule.describe()}",
        f"  copier PnL, replayed     {shown('replayed_pnl', 'replayed')}",
        f"  ratio x whale PnL        {shown('plain_pnl')}",
        f"  gap                      {shown('gap', 'gap')}",
        f"  coverage at the end      {covered('coverage')}",
        f"  expected PnL             {shown('expected_pnl')}{effect}",
        f"  fills of the whale       {paper.fills}, to be copied {paper.asked}, "
        f"of these below the minimum order {paper.below_minimum}",
        f"replay error               {_error(answer)}",
        answer.advice.sentence,
        *_grid(answer.grid),
        *(f"warning: {warning}" for warning in answer.warnings),
    ]


def _error(answer: WhatIf) -> str:
    if answer.replay_error is None:
        return f"unknown: {answer.reasons['replay_error']}"
    return f"{money(answer.replay_error)}: the rule in force, replayed, makes {money(answer.replayed_in_force or 0.0)}"


def _grid(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A table for each dimension, and the reasons for what is unknown."""
    reasons: dict[str, None] = {}
    for dimension, found in groupby(rows, lambda row: str(row["dimension"])):
        yield f"{dimension:<16}" + "".join(f"{_HEADS[name]:>{_WIDTH}}" for name in AMOUNTS)
        for row in found:
            mark = "  (in force)" if row["in_force"] else ""
            yield f"  {row['label']:<14}" + "".join(f"{_usd(row[name]):>{_WIDTH}}" for name in AMOUNTS) + mark
            ends = [(row[f"{name}_low"], row[f"{name}_high"]) for name in AMOUNTS]
            if any(low is not None for low, _ in ends):
                yield f"  {'  95 %':<14}" + "".join(f"{_range(*pair):>{_WIDTH}}" for pair in ends)
            reasons |= dict.fromkeys(row["reasons"].values())
    if reasons:
        yield f"unknown: {'; '.join(reasons)}"


def _usd(value: float | None) -> str:
    return "unknown" if value is None else money(value)


def _range(low: float | None, high: float | None) -> str:
    return "unknown" if low is None or high is None else f"{money(low)} to {money(high)}"
