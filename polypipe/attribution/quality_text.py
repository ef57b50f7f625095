"""The quality report as text for a terminal."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from polypipe.attribution.cost_text import cost_lines
from polypipe.attribution.pnl_fees import fee_sentence
from polypipe.attribution.quality_report import QualityReport
from polypipe.intervals import side_of_ratio
from polypipe.polymarket.errors import one_line
from polypipe.text import count, money

SHOWN_EXITS = 10

_RATE = "{copy_rate:.1f} % of {eligible_fills} eligible fills, {copy_rate_usd:.1f} % by USD"
_SLIPPAGE = "{slippage_cents:+.2f} cents a share, p50 {slippage_p50:+.2f}, p95 {slippage_p95:+.2f}; {slippage_bps:.0f} bps"
_OF_EXPECTED = ", {shortfall_bps:.0f} bps of the expected copies"
_FEES = "{copier_fee_cents:.2f} cents a share"
_WHALE_FEES = "{whale_fee_cents:.2f} cents a share"
_MAKER = "{whale_maker_share:.1f} % of its volume, which a taker cannot copy"
_EDGE = "{break_even_cents:+.2f} cents a share, {break_even_percent:+.2f} % of the price: the whale's edge must exceed it"
_AMBIGUOUS = "{ambiguous_share:.1f} % of {copied_fills} copied fills: copy rate, slippage and latency rest on them"
_LATE = "{late_fills} of {copied_fills} copied fills, more than 180 s after the whale; {joined_fills} in joined orders"
_LATENCY = "p50 {latency_p50:.0f} s, p95 {latency_p95:.0f}, p99 {latency_p99:.0f}"


def quality_lines(found: QualityReport) -> Iterator[str]:
    """Lines of the report: every number, or `unknown` with its reason."""
    gap, m = found.attribution, found.metrics

    def shown(name: str, text: str) -> str:
        return f"unknown: {m['reasons'][name]}" if m[name] is None else text.format(**m)

    first = "" if m["first_fill_ratio"] is None else "; first attempt {first_fill_ratio:.1f} %"
    short = "unknown" if m["shortfall_usd"] is None else money(m["shortfall_usd"])
    yield f"{found.first} to {found.last}, the gap is known on {gap['days_known']} of {gap['days']} days"
    yield from _gap(gap)
    yield f"  fees                     {fee_sentence(m, m['reasons'])}"
    ranged = _interval(m, "copy_rate", ".1f") + _range(m, "copy_rate", "{:.1f}", " %")
    yield f"  copy rate                {shown('copy_rate', _RATE)}{ranged}"
    yield f"  ambiguous matches        {shown('ambiguous_share', _AMBIGUOUS)}"
    yield f"  late copies              {shown('late_fills', _LATE)}"
    ranged = _range(m, "fill_ratio", "{:.1f}", " %")
    yield f"  fill ratio               {shown('fill_ratio', '{fill_ratio:.1f} %' + first)}{ranged}"
    ranged = _interval(m, "slippage_cents", "+.2f") + _range(m, "slippage_cents", "{:+.2f}")
    yield f"  slippage                 {shown('slippage_cents', _SLIPPAGE)}{ranged}"
    yield f"  copier's fees            {shown('copier_fee_cents', _FEES)}"
    yield f"  whale's fees             {shown('whale_fee_cents', _WHALE_FEES)}"
    yield f"  whale as a maker         {shown('whale_maker_share', _MAKER)}"
    yield f"  break-even edge          {shown('break_even_cents', _EDGE)}"
    yield from cost_lines(m)
    yield f"  latency                  {shown('latency_p50', _LATENCY)}{_range(m, 'latency_p50', '{:.0f}', ' s')}"
    yield f"  shortfall                {shown('shortfall_bps', short + _OF_EXPECTED)}"
    yield "  coverage at the end      " + (
        f"unknown: {found.coverage_reason}" if found.coverage is None else f"{found.coverage:.1f} %"
    )
    yield from _exits(found)
    if m["funnel"]:
        yield "  fills of the whale by outcome"
    for reason, step in sorted(m["funnel"].items(), key=lambda item: (-item[1]["fills"], item[0])):
        yield f"    {reason.replace('_', ' '):22} {step['fills']:>7,} fills {step['usd']:>14,.2f} USD"
    for warning in found.warnings:
        yield f"warning: {warning}"


def _gap(gap: dict[str, Any]) -> Iterator[str]:
    if gap["reason"] is not None:
        yield f"  gap                      unknown: {gap['reason']}"
        return
    yield f"  expected PnL             {money(gap['expected_pnl'])}"
    for part in gap["parts"]:
        if abs(part["usd"]) >= 0.005 or part["part"] == "unexplained" or part["unknown"]:
            unknown = f"  ({part['unknown']})" if part["unknown"] else ""
            yield f"    {part['part'].replace('_', ' '):22} {money(part['usd'])}{unknown}"
    yield f"  copier PnL               {money(gap['copier_pnl'])}"
    yield f"  gap                      {money(gap['gap'])} ({gap_words(gap)})"


def gap_words(gap: Mapping[str, Any]) -> str:
    """What the interval of the gap says, from the result of `sum_of_days`."""
    low, high = gap["gap_low"], gap["gap_high"]
    if low is None or high is None:
        return f"95 %: unknown, {gap['gap_interval_reason']}"
    return f"95 %: {money(low)} to {money(high)}, {side_of_ratio((low, high))}"


def _interval(m: dict[str, Any], name: str, digits: str) -> str:
    low, high = m[f"{name}_low"], m[f"{name}_high"]
    if m[name] is None:
        return ""
    if low is None or high is None:
        return f" (95 %: unknown, {m['reasons'][f'{name}_low']})"
    signed = name.startswith("slippage")  # a copy rate is never below zero
    zero = ", not distinguishable from zero" if signed and low <= 0 <= high else ""
    return f" (95 %: {low:{digits}} to {high:{digits}}{zero})"


def _range(m: dict[str, Any], name: str, write: str, unit: str = "") -> str:
    """The range of a number, if many matches are ambiguous: all of them right, or none."""
    ends = m[name], m[f"{name}_sure"]
    if None in ends:
        return ""
    low, high = sorted(ends)
    return f"; {write.format(low)} to {write.format(high)}{unit} if none or all of the ambiguous matches are right"


def _exits(found: QualityReport) -> Iterator[str]:
    incomplete = f"; exits may be missing: {found.exits_incomplete}" if found.exits_incomplete else ""
    usd = money(math.fsum(row["usd"] for row in found.exits))
    tokens = count(len(found.exits), "token")
    yield f"  uncopied exits           {f'{tokens}, {usd} at risk' if found.exits else 'none'}{incomplete}"
    for row in found.exits[:SHOWN_EXITS]:
        what = one_line(f"{row['title']} ({row['outcome']})")
        yield f"    {row['usd']:>10,.2f} USD {row['age_hours']:6.0f} h  {what}"
