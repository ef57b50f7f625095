"""What copying costs as text for a terminal: delay, impact, size, the whale's edge, markouts."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from polypipe.text import money


def cost_lines(m: Mapping[str, Any]) -> Iterator[str]:
    """Lines of a row of copy_metrics_daily, with `reasons` and `markouts` parsed."""
    share = "" if m["split_share"] is None else f", over {m['split_share']:.0f} % of the copied shares"
    yield f"    delay                  {_shown(m, 'delay_cents', _cents)}{share}"
    yield f"    spread and impact      {_shown(m, 'impact_cents', _cents)}"
    yield f"    per 100 shares         {_shown(m, 'size_slope', _cents)}"
    yield f"  half the latency saves   {_shown(m, 'half_latency_usd', money)}"
    yield f"  whale's edge             {_shown(m, 'edge_cents', _cents)}"
    yield f"  ratio that costs it      {_shown(m, 'marginal_ratio', lambda ratio: f'{ratio:.3g}')}"
    if m["markouts"]:
        yield "  the whale's fills after"
    for one in m["markouts"]:
        what = "no quote" if one["cents"] is None else _cents(one["cents"])
        if one["cents_low"] is not None:
            what += f" (95 %: {one['cents_low']:+.2f} to {one['cents_high']:+.2f})"
        quotes = f"quotes after {one['known_fills']:,} of {one['fills']:,} fills"
        yield f"    {one['seconds']:>3} s                  {what}; {quotes}"


def _cents(value: float) -> str:
    return f"{value:+.2f} cents a share"


def _shown(m: Mapping[str, Any], name: str, write: Callable[[float], str]) -> str:
    """A number with its interval, or why it is unknown."""
    low, high = m[f"{name}_low"], m[f"{name}_high"]
    if m[name] is None:
        return f"unknown: {m['reasons'][name]}"
    if low is None or high is None:
        return f"{write(m[name])} (no interval: {m['reasons'][f'{name}_low']})"
    zero = ", not distinguishable from zero" if low <= 0 <= high else ""
    return f"{write(m[name])} (95 %: {write(low)} to {write(high)}{zero})"
