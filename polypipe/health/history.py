"""Probes of the daily tables: history and attribution.

`*_recent` look at the newest day that must be stored, which an asset's freshness does not: to that, a backfill of old days
counts as much.
"""

# ruff: noqa: S608 -- values are written as literals

import json
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from polypipe.attribution.parts import PARTS
from polypipe.health.facts import Facts
from polypipe.health.finding import Finding, Probe, judged
from polypipe.limits import DAY_GRACE, HISTORY_DAYS
from polypipe.text import money
from polypipe.warehouse.connection import literal
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb

DAY = timedelta(days=1)
SHOWN_DAYS = 5
EXACT_USD = 1e-6


def due_day(now: datetime) -> datetime:
    """The midnight at which the newest day begins that must be stored."""
    return datetime.combine((now - DAY_GRACE).date() - DAY, time(), UTC)


def pnl_recent(facts: Facts) -> Iterator[Finding]:
    """Whether both wallets have points up to the end of yesterday."""
    needed = due_day(facts.now) + DAY
    if facts.wallets is None:
        yield judged(True, "", facts.settings.wallets_missing)
    for who, (newest, _, _) in _points(facts, needed).items():
        late = newest is None or newest < needed
        yield judged(late, who, f"the newest point of the {who} is {_minute(newest)}, {_minute(needed)} is needed")


def pnl_hourly(facts: Facts) -> Iterator[Finding]:
    """Whether an hour is missing in the stored part of the last 30 days."""
    if facts.wallets is None:
        yield judged(True, "", facts.settings.wallets_missing)
    for who, (_, points, hours) in _points(facts, due_day(facts.now) + DAY).items():
        holes = 0 if hours is None else max(0, hours - points)
        yield judged(holes > 0, who, f"{who}: {holes} of {hours or 0} hours have no point", holes, 0)


def activity_recent(facts: Facts) -> Iterator[Finding]:
    """Whether yesterday is known completely for both wallets."""
    needed = due_day(facts.now)
    if facts.wallets is None:
        yield judged(True, "", facts.settings.wallets_missing)
        return
    query = f"SELECT wallet FROM activity_days WHERE day = {literal(needed)}"
    known = {wallet for (wallet,) in facts.read(lambda con: con.execute(query).fetchall())}
    for who, wallet in (("copier", facts.wallets.copier), ("whale", facts.wallets.whale)):
        missing = wallet not in known
        yield judged(missing, who, f"{needed:%Y-%m-%d} is {'not ' if missing else ''}known for the {who}")


def activity_unique(facts: Facts) -> Iterator[Finding]:
    """Activities of the last 30 days that are stored twice."""
    since = literal(_since(facts))
    query = f"SELECT count(*) - count(DISTINCT key) FROM wallet_activity WHERE timestamp >= {since}"
    ((twice,),) = facts.read(lambda con: con.execute(query).fetchall())
    yield judged(twice > 0, "", f"{twice} rows too many", twice, 0)


def activity_counted(facts: Facts) -> Iterator[Finding]:
    """Days of the last 30 that do not have as many rows as were read."""
    wrong = facts.read(
        lambda con: con.execute(
            "SELECT d.day, d.activities, count(a.key) FROM activity_days AS d "
            "LEFT JOIN wallet_activity AS a ON a.wallet = d.wallet AND a.day = CAST(d.day AS DATE) "
            f"WHERE d.day >= {literal(_since(facts))} GROUP BY d.wallet, d.day, d.activities "
            "HAVING d.activities <> count(a.key) ORDER BY d.day"
        ).fetchall()
    )
    differ = [f"{day:%Y-%m-%d}: {stored} rows, {read} were read" for day, read, stored in wrong]
    yield _days(differ, "all days as read")


def quality_recent(facts: Facts) -> Iterator[Finding]:
    """Whether copy quality is computed for yesterday."""
    needed, newest = due_day(facts.now), _newest_quality(facts)
    if newest is None:
        yield judged(True, "", _never_computed(facts))
        return
    yield judged(newest[0] < needed, "", f"the newest day is {newest[0]:%Y-%m-%d}, {needed:%Y-%m-%d} is needed")


def quality_known(facts: Facts) -> Iterator[Finding]:
    """Whether the gap of the newest day is known."""
    newest = _newest_quality(facts)
    if newest is None:
        yield judged(True, "", _never_computed(facts))
        return
    day, gap, reasons = newest
    why = json.loads(reasons).get("gap")
    yield judged(gap is None, "", f"{day:%Y-%m-%d}: {money(gap) if gap is not None else why or 'no reason is recorded'}")


def fills_counted(facts: Facts) -> Iterator[Finding]:
    """Days of the last 30 that do not have each fill of the whale exactly once."""
    wrong = facts.read(lambda con: miscounted(con, _since(facts)))
    yield _days(
        [f"{day}: {fills} rows, {keys} fills, {traded} traded" for day, fills, keys, traded in wrong], "every fill once"
    )


def metrics_recent(facts: Facts) -> Iterator[Finding]:
    """Whether the copy metrics are computed for yesterday."""
    return _recent(facts, "copy_metrics_daily")


def gap_recent(facts: Facts) -> Iterator[Finding]:
    """Whether the attribution is computed for yesterday."""
    return _recent(facts, "gap_attribution")


def _recent(facts: Facts, table: str) -> Iterator[Finding]:
    if facts.wallets is None:
        yield judged(True, "", facts.settings.wallets_missing)
        return
    needed = f"{due_day(facts.now):%Y-%m-%d}"
    query = f"SELECT strftime(max(day), '%Y-%m-%d') FROM {table} WHERE {of_pair(facts.wallets)}"
    ((newest,),) = facts.read(lambda con: con.execute(query).fetchall())
    late = newest is None or newest < needed
    yield judged(late, "", f"the newest day is {newest or 'none'}, {needed} is needed")


def gap_sums(facts: Facts) -> Iterator[Finding]:
    """Days whose parts do not sum to the gap."""
    wrong: list[Any] = []
    if facts.wallets is not None:
        parts = " + ".join(f"coalesce({part}, 0)" for part in PARTS)  # null: unknown, or from before the part was computed
        query = (
            f"SELECT strftime(day, '%Y-%m-%d'), {parts} + unexplained - gap AS too_much "
            f"FROM gap_attribution WHERE {of_pair(facts.wallets)} AND abs(too_much) > {literal(EXACT_USD)} ORDER BY day"
        )
        wrong = facts.read(lambda con: con.execute(query).fetchall())
    yield _days([f"{day}: ${amount:,.6f} too much" for day, amount in wrong], "every day sums to its gap")


def history_days(facts: Facts) -> Iterator[Finding]:
    """Days of the last 30 whose activity is not known for both wallets. Unasked before the first day is stored."""
    if facts.wallets is None:
        return
    both = (facts.wallets.copier, facts.wallets.whale)
    rows = facts.read(lambda con: con.execute("SELECT wallet, day FROM activity_days").fetchall())
    known = {(wallet, day.astimezone(UTC)) for wallet, day in rows}
    if not known:
        return
    last = due_day(facts.now)
    begin = datetime.combine(facts.settings.history_start, time(), UTC)
    first = max(begin, last - (HISTORY_DAYS - 1) * DAY)
    days = [first + n * DAY for n in range((last - first).days + 1)]
    missing = [day for day in days if any((wallet, day) not in known for wallet in both)]
    if not missing:
        text = f"each of the last {len(days)} days is known for both wallets"
    else:
        span = f"{missing[0]:%Y-%m-%d}" + (f" to {missing[-1]:%Y-%m-%d}" if missing[1:] else "")
        text = f"{len(missing)} of the last {len(days)} days are not known for both wallets: {span}"
    yield judged(bool(missing), "", text, len(missing), 0)


def miscounted(con: "duckdb.DuckDBPyConnection", since: datetime) -> list[tuple[str, int, int, int]]:
    """(day, rows, distinct fills, trades of the whale) of the days since `since`, of each pair, where the three differ."""
    return con.execute(
        "WITH matched AS (SELECT date_trunc('day', timestamp) AS day, user1_address, user2_address AS wallet, "
        "count(*) AS fills, count(DISTINCT key) AS keys FROM copy_fills "
        f"WHERE status <> 'own' AND timestamp >= {literal(since)} GROUP BY ALL), "
        "traded AS (SELECT date_trunc('day', timestamp) AS day, wallet, count(*) AS fills FROM wallet_activity "
        "WHERE type = 'TRADE' AND NOT coalesce(is_combo, false) AND asset IS NOT NULL AND side IS NOT NULL "
        "AND size > 0 AND price > 0 "
        f"AND timestamp >= {literal(since)} GROUP BY ALL) "
        "SELECT strftime(day, '%Y-%m-%d'), matched.fills, keys, coalesce(traded.fills, 0) FROM matched "
        "LEFT JOIN traded USING (day, wallet) "
        "WHERE matched.fills <> coalesce(traded.fills, 0) OR matched.fills <> keys ORDER BY day, user1_address"
    ).fetchall()


HISTORY = (
    Probe("pnl_recent", "history", "critical", pnl_recent),
    Probe("pnl_hourly", "history", "warning", pnl_hourly),
    Probe("activity_recent", "history", "critical", activity_recent),
    Probe("activity_unique", "history", "critical", activity_unique),
    Probe("activity_counted", "history", "critical", activity_counted),
    Probe("quality_recent", "history", "critical", quality_recent),
    Probe("quality_known", "history", "warning", quality_known),
    # Activity that was read again after it was matched heals with the next run.
    Probe("fills_counted", "history", "warning", fills_counted),
    Probe("metrics_recent", "history", "critical", metrics_recent),
    Probe("gap_recent", "history", "critical", gap_recent),
    Probe("gap_sums", "history", "critical", gap_sums),
    Probe("history_days", "history days", "warning", history_days),
)


def _since(facts: Facts) -> datetime:
    return due_day(facts.now) - HISTORY_DAYS * DAY


def _points(facts: Facts, needed: datetime) -> dict[str, tuple[datetime | None, int, int | None]]:
    """Who -> newest point, number of points, hours that they span, in the last 30 days."""
    if facts.wallets is None:
        return {}
    found = {}
    for who, wallet in (("copier", facts.wallets.copier), ("whale", facts.wallets.whale)):
        query = (
            "SELECT max(t), count(*), date_diff('hour', min(t), max(t)) + 1 FROM wallet_pnl "
            f"WHERE wallet = {literal(wallet)} AND t >= {literal(needed - HISTORY_DAYS * DAY)}"
        )
        found[who] = facts.read(lambda con, query=query: con.execute(query).fetchall())[0]  # type: ignore[misc]
    return found


def _newest_quality(facts: Facts) -> tuple[datetime, float | None, str] | None:
    if facts.wallets is None:
        return None
    query = (
        "SELECT day, gap, reasons FROM copy_quality_daily WHERE window_days = 1 "
        f"AND {of_pair(facts.wallets)} ORDER BY day DESC LIMIT 1"
    )
    found: tuple[datetime, float | None, str] | None = facts.read(lambda con: con.execute(query).fetchone())
    return found


def _never_computed(facts: Facts) -> str:
    return facts.settings.wallets_missing if facts.wallets is None else "no day was ever computed"


def _days(wrong: list[str], none: str) -> Finding:
    return judged(bool(wrong), "", "; ".join(wrong[:SHOWN_DAYS]) or none, len(wrong), 0)


def _minute(moment: datetime | None) -> str:
    return "none" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
