"""A what-if answer as text for a terminal."""

from polypipe.attribution.whatif import WhatIf
from polypipe.text import money


def whatif_lines(answer: WhatIf) -> list[str]:
    """Lines of the answer."""
    paper = answer.paper

    def shown(name: str) -> str:
        value = getattr(answer, name)
        return f"unknown: {answer.reasons[name]}" if value is None else money(value)

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
        f"  expected PnL             {shown('expected_pnl')}{effect}",
        f"  gap                      {shown('gap')}",
        f"  coverage at the end      {covered('coverage')}",
        f"  fills of the whale       {paper.fills}, to be copied {paper.asked}, "
        f"of these below the minimum order {paper.below_minimum}",
        *(f"warning: {warning}" for warning in answer.warnings),
    ]
