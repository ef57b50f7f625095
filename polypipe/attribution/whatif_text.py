"""A what-if answer for a terminal."""

from polypipe.attribution.whatif import WhatIf
from polypipe.text import money


def whatif_lines(answer: WhatIf) -> list[str]:
    """The answer for a terminal."""
    paper = answer.paper

    def shown(name: str) -> str:
        value = getattr(answer, name)
        return f"unknown: {answer.reasons[name]}" if value is None else money(value)

    def covered(name: str) -> str:
        value = getattr(answer, name)
        return f"unknown: {answer.reasons[name]}" if value is None else f"{value:.1f} %"

    of_which = "" if answer.expected_pnl is None else f", of which floor and tiers {money(paper.effect)}"
    return [
        f"{answer.first} to {answer.last}, {answer.days_known} of {answer.days} days known",
        f"  copier PnL               {shown('copier_pnl')}",
        f"  whale PnL                {shown('whale_pnl')}",
        f"in force: ratio {answer.ratio_in_force:g} on the last day",
        f"  expected PnL             {shown('expected_in_force')}",
        f"  gap                      {shown('gap_in_force')}",
        f"  coverage at the end      {covered('coverage_in_force')}",
        f"what if: {answer.rule.describe()}",
        f"  expected PnL             {shown('expected_pnl')}{of_which}",
        f"  gap                      {shown('gap')}",
        f"  coverage at the end      {covered('coverage')}",
        f"  fills of the whale       {paper.fills}, to be copied {paper.asked}, "
        f"of these below the minimum order {paper.below_minimum}",
        *(f"warning: {warning}" for warning in answer.warnings),
    ]
