"""The daily digest: one message about the previous UTC day. An unknown number says so, with the reason if one is stored."""

# ruff: noqa: S608 -- values are written as literals

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from polypipe.alerts.messages import Message
from polypipe.alerts.rules import DigestRule, Rule
from polypipe.alerts.state import Alert
from polypipe.attribution.cents import parts_in_cents, pnl_in_cents
from polypipe.attribution.parts import PARTS
from polypipe.health.facts import Facts
from polypipe.intervals import side_of_ratio
from polypipe.text import bounded, count, money, plain
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import fetch_rows, literal
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb

DAY = timedelta(days=1)
_CAUSES = 4
_PARTS = (*PARTS, "unexplained")


def due_digest(digested: str | None, rule: DigestRule, now: datetime) -> tuple[str, date | None]:
    """Returns (last digested day, day to digest now or None). `digested` is the stored last digested day.

    After an outage one digest is sent late; on the first day there is no day to digest yet.
    """
    yesterday = now.date() - DAY
    if digested is None or date.fromisoformat(digested) > yesterday + DAY:  # or the clock was ahead once
        return yesterday.isoformat(), None
    if now.time() < rule.at or date.fromisoformat(digested) >= yesterday:
        return digested, None
    return yesterday.isoformat(), yesterday


def compose_digest(
    facts: Facts,
    day: date,
    alerts: Iterable[Alert],
    rules: Mapping[str, Rule],
    failing_channels: Iterable[str] = (),
) -> Message:
    """The message about `day`. `failing_channels` are sentences: only another channel can report a failing one."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    con, wallets = facts.con, facts.wallets
    lines = [] if wallets is None else [*gap_lines(con, wallets, start), *_fills(con, wallets, start), _exits(facts)]
    lines += _health(con, start, facts, [alert for alert in alerts if alert.phase == "firing"], rules)
    lines += [f"Channel failing: {channel}" for channel in failing_channels]
    return Message("info", f"digest of {day.isoformat()} (UTC)", "\n".join(bounded(line) for line in lines))


def gap_lines(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime) -> list[str]:
    """PnL, gap and largest causes of the day that begins at `start`."""
    found = _row(con, "copy_quality_daily", "copier_pnl, whale_pnl, expected_pnl, gap, gap_t, reasons", wallets, start, 1)
    if found is None:
        return ["PnL and gap: unknown (the day is not computed yet)"]
    reasons = json.loads(found["reasons"])
    if found["gap"] is not None and found["copier_pnl"] is not None:
        names = ("expected_pnl", "copier_pnl", "gap")
        found |= dict(zip(names, pnl_in_cents(found["copier_pnl"], found["gap"]), strict=True))
    week = _row(con, "copy_quality_daily", "gap, gap_low, gap_high, reasons", wallets, start, 7) or {}
    low, high = week.get("gap_low"), week.get("gap_high")
    if low is not None and high is not None:
        sure = f" (95 %: {money(low)} to {money(high)}, {side_of_ratio((low, high))})"
    elif week.get("gap") is not None:
        sure = f" (95 %: unknown, {plain(json.loads(week['reasons']).get('gap_low', 'not computed'), 100)})"
    else:
        sure = ""
    lines = [
        f"PnL: copier {_usd(found, 'copier_pnl', reasons)}, whale {_usd(found, 'whale_pnl', reasons)}, expected "
        f"{_usd(found, 'expected_pnl', reasons)}",
        f"Gap: {_usd(found, 'gap', reasons)}; 7 days: {_usd(week, 'gap', {})}{sure}",
    ]
    if note := wallets.bot.sizing_note(wallets.ratio):
        lines.append(f"Note: {note}")
    causes = _row(con, "gap_attribution", ", ".join(("gap", *_PARTS)), wallets, start)
    if causes is None:
        return [*lines, "Causes: unknown (the day is not computed yet)"]
    parts = {name: causes[name] for name in _PARTS if causes[name] is not None}
    if causes["gap"] is not None:
        parts = dict(zip(parts, parts_in_cents([*parts.values()], causes["gap"]), strict=True))
    known = sorted(((name, usd) for name, usd in parts.items() if usd), key=lambda part: -abs(part[1]))
    words = [f"{name.replace('_', ' ')} {money(amount)}" for name, amount in known[:_CAUSES]]
    words += ["unexplained unknown"] if causes["unexplained"] is None else []
    return [*lines, f"Causes: {', '.join(words) or 'none'}"]


def _fills(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime) -> list[str]:
    found = _row(con, "copy_metrics_daily", "eligible_fills, copied_fills, copy_rate, funnel, reasons", wallets, start, 1)
    if found is None or found["eligible_fills"] is None:
        why = "the day is not computed yet" if found is None else json.loads(found["reasons"]).get("eligible_fills", "")
        return [f"Fills: unknown ({plain(why, 120)})"]
    funnel = json.loads(found["funnel"])
    missed = [
        f"{reason} {step['fills']} ({money(step['usd'] or 0.0)})" for reason, step in funnel.items() if reason != "copied"
    ]
    rate = "" if found["copy_rate"] is None else f" ({found['copy_rate']:.0f} %)"
    return [
        f"Fills: {found['copied_fills']} of {found['eligible_fills']} eligible ones copied{rate}",
        f"Not copied in full: {', '.join(missed) or 'none'}",
    ]


def _exits(facts: Facts) -> str:
    positions = facts.positions
    if positions is None:
        return "Exits not copied: unknown (no comparison of positions is stored)"
    orphans = [row for row in positions.rows if row.status == "orphan"]
    worth = sum(row.usd or 0.0 for row in orphans)
    unpriced = sum(row.usd is None for row in orphans)
    without = f", {unpriced} without a price" if unpriced else ""
    as_of = f"{positions.compared_at:%m-%d %H:%M} UTC"
    return f"Exits not copied: {count(len(orphans), 'position')}, {money(worth)}{without} (as of {as_of})"


def _health(
    con: "duckdb.DuckDBPyConnection", start: datetime, facts: Facts, firing: Sequence[Alert], rules: Mapping[str, Rule]
) -> list[str]:
    span_sql = f"> {literal(start)} AND {{}} <= {literal(start + DAY)}"
    crawls = con.execute(
        f"SELECT count(*), count(*) FILTER (NOT complete) FROM crawls WHERE finished_at {span_sql.format('finished_at')}"
    ).fetchall()[0]
    refused = con.execute(
        f"SELECT count(*) FILTER (NOT accepted) FROM publications WHERE time {span_sql.format('time')}"
    ).fetchall()[0][0]
    lines = [f"Crawls: {crawls[0]}, {crawls[1]} incomplete; publications refused: {refused}"]
    failing = [streak.name for streak in facts.failures if streak.failures]
    lines.append(f"Failing now: {', '.join(failing) or 'nothing'}")
    counts = Counter(rules[alert.rule].headline for alert in firing)
    names = [f"{headline} ({count})" if count > 1 else headline for headline, count in counts.items()]
    lines.append(f"Alerts in force: {'; '.join(names) or 'none'}")
    return lines


def _row(
    con: "duckdb.DuckDBPyConnection", table: str, columns: str, wallets: Wallets, day: datetime, window: int | None = None
) -> dict[str, Any] | None:
    window_is = "" if window is None else f"AND window_days = {literal(window)} "
    query = f"SELECT {columns} FROM {table} WHERE day = {literal(day)} {window_is}AND {of_pair(wallets)}"
    return next(iter(fetch_rows(con.execute(query), dict[str, Any])), None)


def _usd(row: dict[str, Any], name: str, reasons: dict[str, str]) -> str:
    amount = row.get(name)
    if amount is None:
        return f"unknown ({plain(reasons.get(name, 'not computed'), 100)})"
    return money(amount)
