"""Probes of copying that are known by the day: the gap, the ratio, how well the newest fills were copied.

They rest on tables that history and attribution fill twice a day, and are unknown unless these reach yesterday.
"""

from collections.abc import Iterator, Sequence
from math import ceil

from polypipe.attribution.ambiguity import why_unknown
from polypipe.attribution.realised_ratio import LEAST_RATIO_PAIRS, realised_ratio
from polypipe.health.copying import money_limit
from polypipe.health.facts import Facts
from polypipe.health.finding import NO_WALLETS, Finding, Probe, judged, unknown
from polypipe.health.records import EligibleFill
from polypipe.intervals import NORMAL, rate_interval, side_of_ratio, why_no_interval
from polypipe.limits import DAILY_AGE
from polypipe.text import count, money, utc_text


def copy_gap(facts: Facts) -> Iterator[Finding]:
    """A gap beyond the limit that is distinguishable from zero."""
    row = facts.window_gap
    if facts.wallets is None:
        yield unknown(NO_WALLETS)
    elif row is None or facts.now - row.closes > DAILY_AGE:
        yield unknown("copy quality is not computed up to yesterday")
    elif row.gap is None or row.t is None:
        yield unknown("the gap, or whether it is distinguishable from zero, is unknown")
    else:
        limit = money_limit(facts, "copy_gap", row.capital)
        bounds = row.t - NORMAL, row.t + NORMAL
        failing = row.gap <= -limit and abs(row.t) >= facts.limits.number("copy_gap", "t")
        text = (
            f"Over {facts.limits.number('copy_gap', 'days'):g} d the gap is {money(row.gap)}, {side_of_ratio(bounds)} "
            f"(t {row.t:.1f}); limit {money(limit)} (up to {utc_text(row.closes)})"
        )
        yield judged(failing, "", text, row.gap, -limit)


def ratio_mismatch(facts: Facts) -> Iterator[Finding]:
    """The ratio that the sizes of the copies show differs from the setting."""
    if facts.wallets is None:
        yield unknown(NO_WALLETS)
        return
    pairs, setting, limit = facts.pairs, facts.wallets.ratio, facts.limits.number("ratio_mismatch", "percent")
    if note := facts.wallets.bot.sizing_note(setting):
        yield unknown(note)
        return
    if len(pairs) < LEAST_RATIO_PAIRS:
        yield unknown(f"{count(len(pairs), 'pair')} of fills at this setting, {LEAST_RATIO_PAIRS} are needed")
        return
    found = realised_ratio(pairs, setting)
    if found is None:
        yield unknown(f"no ratio explains the sizes of enough of {len(pairs)} pairs of fills")
        return
    off = 100 * abs(found.ratio / setting - 1)
    text = (
        f"The copier's fills show a ratio of {found.ratio:.4g} (exact for {found.exact} of {len(pairs)} pairs), the "
        f"setting is {setting:.4g}: set POLYPIPE_SCALING_RATIO to that of the bot"
    )
    yield judged(off > limit, "", text, off, limit)


def slippage(facts: Facts) -> Iterator[Finding]:
    """The 95th percentile of the slippage of the newest copied fills."""
    fills = _copied(facts, "slippage")
    values = [fill.slippage for fill in fills if fill.slippage is not None]
    return _percentile(facts, "slippage", fills, values, "cents", "slippage", "¢ a share")


def latency(facts: Facts) -> Iterator[Finding]:
    """The 95th percentile of the seconds from the whale's fill to the first copy."""
    fills = _copied(facts, "latency")
    values = [fill.latency for fill in fills if fill.latency is not None]
    return _percentile(facts, "latency", fills, values, "seconds", "latency", "s")


def copy_rate(facts: Facts) -> Iterator[Finding]:
    """The share of the newest eligible fills that have a copy; failing when even the upper end of its 95 % interval is
    below the limit.

    Covers a week at least: an outage of hours hits all fills of these hours, so only days are independent.
    """
    found = facts.copied_days
    why = _not_enough(facts, "copy_rate", found.eligible if found else 0)
    if why is None and found is not None:
        why = why_unknown(found.ambiguous, found.copied)
        why = why or why_no_interval((eligible for _, eligible in found.days.values()), found.events)
    if why is not None or found is None:
        yield unknown(why or NO_WALLETS)
        return
    limit, rate = facts.limits.number("copy_rate", "percent"), 100 * found.copied / found.eligible
    low, high = (100 * end for end in rate_interval(found.days))
    text = (
        f"{found.copied} of the last {found.eligible} eligible fills were copied: {rate:.0f} % (95 %: {low:.0f} to "
        f"{high:.0f}); limit {limit:g} % ({utc_text(found.since)} to {utc_text(found.until)})"
    )
    yield judged(high < limit, "", text, rate, limit)


def drawdown(facts: Facts) -> Iterator[Finding]:
    """How far the copier's PnL is below its best hour of the last days."""
    pnl = facts.copier_pnl
    if facts.wallets is None:
        yield unknown(NO_WALLETS)
    elif pnl is None or facts.now - pnl.at > DAILY_AGE:
        yield unknown("the hourly PnL of the copier is not up to date")
    else:
        limit = money_limit(facts, "drawdown", facts.snapshot.value if facts.snapshot else None)
        below = pnl.peak - pnl.last
        text = (
            f"The copier is {money(below)} below its best hour of {facts.limits.number('drawdown', 'days'):g} days; limit "
            f"{money(limit)} (as of {utc_text(pnl.at)})"
        )
        yield judged(below >= limit, "", text, below, limit)


QUALITY = (
    Probe("copy_gap", "quality", "warning", copy_gap, "copy_gap"),
    Probe("ratio_mismatch", "quality", "warning", ratio_mismatch, "ratio_mismatch"),
    Probe("slippage", "quality", "warning", slippage, "slippage"),
    Probe("latency", "quality", "warning", latency, "latency"),
    Probe("copy_rate", "quality", "warning", copy_rate, "copy_rate"),
    Probe("drawdown", "quality", "warning", drawdown, "drawdown"),
)


def _copied(facts: Facts, rule: str) -> list[EligibleFill]:
    return [fill for fill in facts.eligible_fills if fill.slippage is not None][: int(facts.limits.number(rule, "fills"))]


def _not_enough(facts: Facts, rule: str, fills: int) -> str | None:
    """Why the newest fills cannot be judged now; None when they can."""
    if facts.wallets is None:
        return NO_WALLETS
    wanted = int(facts.limits.number(rule, "fills"))
    if fills < wanted:
        return f"{count(fills, 'fill is', 'fills are')} known, {wanted} are needed"
    if facts.window_gap is None or facts.now - facts.window_gap.closes > DAILY_AGE:
        return "fills are not matched up to yesterday"
    return None


def _percentile(
    facts: Facts, rule: str, fills: Sequence[EligibleFill], values: list[float], limit_name: str, what: str, unit: str
) -> Iterator[Finding]:
    if (
        why := _not_enough(facts, rule, len(fills)) or why_unknown(sum(one.ambiguous for one in fills), len(fills))
    ) is not None:
        yield unknown(why)
        return
    values.sort()
    p95, limit = values[ceil(0.95 * len(values)) - 1], facts.limits.number(rule, limit_name)
    text = f"95 % of the last {len(fills)} copies have a {what} of up to {p95:.1f} {unit}; limit {limit:g} {_until(fills)}"
    yield judged(p95 > limit, "", text, p95, limit)


def _until(fills: Sequence[EligibleFill]) -> str:
    return f"(up to {utc_text(fills[0].at)})"
