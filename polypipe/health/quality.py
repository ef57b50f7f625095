"""The conditions of copying that are known by the day: the gap, the ratio, how well the last fills were copied. Pure.

They rest on tables that history and attribution fill twice a day. Where these are not up to yesterday, nothing is known.
"""

from collections.abc import Sequence
from datetime import timedelta
from math import ceil, floor, sqrt

from polypipe.alerts.rules import Rule
from polypipe.attribution.intervals import NORMAL, wilson
from polypipe.attribution.realised_ratio import LEAST_RATIO_PAIRS
from polypipe.health.copying import money_limit
from polypipe.health.facts import Copied, Situation
from polypipe.health.finding import NO_WALLETS, Observation, Reading, when
from polypipe.health.pipeline import Condition
from polypipe.text import money, utc_text

DAILY_AGE = timedelta(days=2)
"""A newest day that closed longer ago is not the present."""


def copy_gap(situation: Situation, rule: Rule) -> Reading:
    """A gap beyond the limit that is distinguishable from zero."""
    if situation.wallets is None:
        return Reading("copy_gap", unknown=NO_WALLETS)
    quality = situation.quality
    if quality is None or situation.now - quality.closes > DAILY_AGE:
        return Reading("copy_gap", unknown="copy quality is not computed up to yesterday")
    if quality.gap is None or quality.t is None:
        return Reading("copy_gap", unknown="the gap, or whether it is distinguishable from zero, is unknown")
    limit = money_limit(rule, quality.capital)
    firing = quality.gap <= -limit and abs(quality.t) >= rule.limit("t")
    text = (
        f"Over {rule.limit('days'):g} d the copier is {money(-quality.gap)} behind ratio × whale (t {quality.t:.1f}); "
        f"limit {money(limit)} (up to {utc_text(quality.closes)})"
    )
    return Reading("copy_gap", [Observation("", when(firing), text, quality.gap, -limit)])


def ratio_mismatch(situation: Situation, rule: Rule) -> Reading:
    """The 95 % interval of the ratio at which the bot really copies excludes the setting, by more than rounding."""
    if situation.wallets is None:
        return Reading("ratio_mismatch", unknown=NO_WALLETS)
    pairs, setting = situation.pairs, situation.wallets.ratio
    if len(pairs) < LEAST_RATIO_PAIRS:
        return Reading(
            "ratio_mismatch", unknown=f"{len(pairs)} pairs of fills at this setting, {LEAST_RATIO_PAIRS} are needed"
        )
    low, middle, high = median_interval(pairs)
    off = 100 * abs(middle / setting - 1)
    firing = off > rule.limit("percent") and not low <= setting <= high
    text = (
        f"The copier's fills show a ratio of {middle:.4g} (95 %: {low:.4g} to {high:.4g}, {len(pairs)} pairs), the setting "
        f"is {setting:.4g}: is POLYPIPE_SCALING_RATIO that of the bot?"
    )
    return Reading("ratio_mismatch", [Observation("", when(firing), text, off, rule.limit("percent"))])


def slippage(situation: Situation, rule: Rule) -> Reading:
    """The 95th percentile over the last copied fills."""
    fills = _newest(situation, int(rule.limit("fills")), copied=True)
    values = [fill.slippage for fill in fills if fill.slippage is not None]
    return _percentile("slippage", situation, rule, fills, values, "cents", "slippage", "¢ a share")


def latency(situation: Situation, rule: Rule) -> Reading:
    """The same of the seconds from the whale's fill to the first copy."""
    fills = _newest(situation, int(rule.limit("fills")), copied=True)
    values = [fill.latency for fill in fills if fill.latency is not None]
    return _percentile("latency", situation, rule, fills, values, "seconds", "latency", "s")


def copy_rate(situation: Situation, rule: Rule) -> Reading:
    """Fills for which an order was sent, of the last eligible ones; firing when even the upper end of its 95 % interval is
    below the limit."""
    fills = _newest(situation, int(rule.limit("fills")), copied=False)
    if (why := _not_enough(situation, rule, fills)) is not None:
        return Reading("copy_rate", unknown=why)
    sent = sum(fill.order_sent for fill in fills)
    rate, upper, limit = 100 * sent / len(fills), 100 * wilson(sent, len(fills))[1], rule.limit("percent")
    text = f"{sent} of the last {len(fills)} eligible fills were copied: {rate:.0f} %; limit {limit:g} % {_until(fills)}"
    return Reading("copy_rate", [Observation("", when(upper < limit), text, rate, limit)])


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower end, median, upper end: the 95 % interval by order statistics, which assumes nothing of the distribution.
    `values` are sorted, at least 6."""
    n = len(values)
    half = NORMAL * sqrt(n) / 2
    low, high = max(0, floor(n / 2 - half) - 1), min(n - 1, ceil(n / 2 + half))
    middle = values[n // 2] if n % 2 else (values[n // 2 - 1] + values[n // 2]) / 2
    return values[low], middle, values[high]


def drawdown(situation: Situation, rule: Rule) -> Reading:
    """How far the copier's PnL is below its best hour of the last days."""
    if situation.wallets is None:
        return Reading("drawdown", unknown=NO_WALLETS)
    peak, last, at = situation.peak_pnl, situation.last_pnl, situation.pnl_at
    if peak is None or last is None or at is None or situation.now - at > DAILY_AGE:
        return Reading("drawdown", unknown="the hourly PnL of the copier is not up to date")
    limit = money_limit(rule, situation.snapshot.value if situation.snapshot else None)
    text = (
        f"The copier is {money(peak - last)} below its best hour of {rule.limit('days'):g} days; limit {money(limit)} "
        f"(as of {utc_text(at)})"
    )
    return Reading("drawdown", [Observation("", when(peak - last >= limit), text, peak - last, limit)])


QUALITY: tuple[Condition, ...] = (copy_gap, ratio_mismatch, slippage, latency, copy_rate, drawdown)


def _newest(situation: Situation, count: int, copied: bool) -> list[Copied]:
    return [fill for fill in situation.copied if fill.slippage is not None or not copied][:count]


def _not_enough(situation: Situation, rule: Rule, fills: Sequence[Copied]) -> str | None:
    """Why the last fills say nothing now; None when they can be judged."""
    if situation.wallets is None:
        return NO_WALLETS
    wanted = int(rule.limit("fills"))
    if len(fills) < wanted:
        return f"{len(fills)} fills are known, {wanted} are needed"
    if situation.quality is None or situation.now - situation.quality.closes > DAILY_AGE:
        return "fills are not matched up to yesterday"
    return None


def _percentile(
    condition: str,
    situation: Situation,
    rule: Rule,
    fills: Sequence[Copied],
    values: list[float],
    key: str,
    what: str,
    unit: str,
) -> Reading:
    if (why := _not_enough(situation, rule, fills)) is not None:
        return Reading(condition, unknown=why)
    values.sort()
    p95, limit = values[ceil(0.95 * len(values)) - 1], rule.limit(key)
    text = f"95 % of the last {len(fills)} copies have a {what} of up to {p95:.1f} {unit}; limit {limit:g} {_until(fills)}"
    return Reading(condition, [Observation("", when(p95 > limit), text, p95, limit)])


def _until(fills: Sequence[Copied]) -> str:
    return f"(up to {utc_text(fills[0].at)})"
