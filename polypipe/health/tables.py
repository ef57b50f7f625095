"""Reads stored tables into records, through the warehouse's reader. Nothing is judged here.

Rows from the future are left out: written while the clock was ahead, they would hide the newest row and pass for fresh.
"""

# ruff: noqa: S608 -- values are written as literals

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from polypipe.attribution.realised_ratio import SizePair
from polypipe.bot_profile import TELLING
from polypipe.caches.spec import CacheSpec
from polypipe.health.records import (
    ComparedPositions,
    CopiedDays,
    CopierPnl,
    CrawlStreak,
    EligibleFill,
    FileState,
    HeldPosition,
    LogLine,
    NewestSnapshot,
    SnapshotDay,
    StoredExits,
    WindowGap,
)
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb

DAY = timedelta(days=1)
NEWEST_FILLS = 1000
FILLS_DAYS, PAIRS_DAYS = 30 * DAY, 7 * DAY
RATE_DAYS = 7
LOG_HOUR = timedelta(hours=1)
_NEWEST_CRAWLS = 25


def read_files(con: "duckdb.DuckDBPyConnection", specs: Iterable[CacheSpec], now: datetime) -> list[FileState]:
    """The state of each file."""
    rows = con.execute(
        "SELECT file, max(time) FILTER (accepted), arg_max(accepted, time), arg_max(reason, time), "
        "arg_max(entries, time) FILTER (accepted), arg_max(sha256, time) FILTER (accepted) FROM publications "
        f"WHERE time BETWEEN {literal(now - 30 * DAY)} AND {literal(now)} GROUP BY file"
    ).fetchall()
    found = {file: rest for file, *rest in rows}
    files = []
    for spec in specs:
        accepted_at, newest_accepted, reason, entries, sha256 = found.get(spec.file, (None, True, None, None, None))
        refused = None if newest_accepted else reason or "no reason given"
        files.append(FileState(spec.file, spec.fresh_within, _utc(accepted_at), refused, entries, sha256 or ""))
    return files


def read_crawls(con: "duckdb.DuckDBPyConnection", now: datetime) -> list[CrawlStreak]:
    """The crawls of the last 7 days by kind."""
    crawls = []
    for kind in ("universe", "live"):
        rows = con.execute(
            "SELECT complete, error, coalesce(observed_at, started_at), dropped, announced FROM crawls "
            f"WHERE kind = {literal(kind)} AND finished_at BETWEEN {literal(now - 7 * DAY)} AND {literal(now)} "
            f"ORDER BY finished_at DESC LIMIT {_NEWEST_CRAWLS}"
        ).fetchall()
        complete = next((n for n, row in enumerate(rows) if row[0]), len(rows))
        last = rows[complete] if complete < len(rows) else None
        crawls.append(
            CrawlStreak(
                kind,
                incomplete=complete,
                error=(rows[0][1] or "") if complete else "",
                observed_at=_utc(last[2]) if last else None,
                dropped=(last[3] or 0) if last else 0,
                announced=(last[4] or "").splitlines() if last else (),
            )
        )
    return crawls


def read_versions(con: "duckdb.DuckDBPyConnection") -> dict[str, int]:
    """Protocol version -> markets of the stored universe that name it."""
    return dict(con.execute("SELECT version, count(*) FROM markets WHERE version IS NOT NULL GROUP BY 1").fetchall())


def read_snapshot(con: "duckdb.DuckDBPyConnection", wallets: Wallets, now: datetime) -> NewestSnapshot | None:
    """The newest snapshot of these wallets."""
    row = con.execute(
        "SELECT timestamp, sources, reasons, user1_pnl, user1_value FROM snapshots "
        f"WHERE {of_pair(wallets)} AND origin = 'polypipe' "
        f"AND timestamp BETWEEN {literal(now - 7 * DAY)} AND {literal(now)} "
        "ORDER BY timestamp DESC LIMIT 1"
    ).fetchone()
    return None if row is None else snapshot_of(*row)


def snapshot_of(
    timestamp: datetime, sources: str | None, reasons: str | None, pnl: float | None, value: float | None
) -> NewestSnapshot:
    """A row of table snapshots as a record: columns timestamp, sources, reasons, user1_pnl, user1_value."""
    time = timestamp.astimezone(UTC)
    found: Mapping[str, Mapping[str, Any]] = json.loads(sources or "{}")
    answered = {
        name: None if source["age"] is None else time - timedelta(seconds=source["age"]) for name, source in found.items()
    }
    announced = [line for source in found.values() for line in source.get("announced", ())]
    return NewestSnapshot(time, answered, json.loads(reasons or "{}"), pnl, value, announced)


def read_snapshot_day(con: "duckdb.DuckDBPyConnection", now: datetime) -> SnapshotDay:
    """The snapshots of the last 24 hours, of any pair."""
    rows = con.execute(
        "SELECT timestamp, sources FROM snapshots WHERE origin = 'polypipe' "
        f"AND timestamp BETWEEN {literal(now - DAY)} AND {literal(now)} ORDER BY timestamp"
    ).fetchall()
    newest: Mapping[str, Mapping[str, Any]] = json.loads(rows[-1][1] or "{}") if rows else {}
    return SnapshotDay(
        [time.astimezone(UTC) for time, _ in rows], [name for name, source in newest.items() if not source["ok"]]
    )


def read_quality(con: "duckdb.DuckDBPyConnection", wallets: Wallets, window_days: int) -> WindowGap | None:
    """The newest row for windows of `window_days`."""
    row = con.execute(
        f"SELECT day, gap, gap_t, capital FROM copy_quality_daily WHERE {of_pair(wallets)} "
        f"AND window_days = {literal(window_days)} ORDER BY day DESC LIMIT 1"
    ).fetchone()
    return None if row is None else WindowGap(row[0].astimezone(UTC) + DAY, *row[1:])


def read_positions(con: "duckdb.DuckDBPyConnection", wallets: Wallets) -> ComparedPositions | None:
    """The stored comparison, if it belongs to this pair."""
    newest = con.execute(
        f"SELECT max(compared_at), max(compared_at) FILTER ({of_pair(wallets)}) FROM position_summaries"
    ).fetchone()
    if newest is None or newest[0] is None or newest[0] != newest[1]:
        return None
    rows = con.execute(
        "SELECT token_id, title, outcome, status, copier_size, price, whale_out_since, copier_net, reason, "
        "expected_size FROM positions"
    )
    held = [
        HeldPosition(token, title or "", outcome or "", status, shares, price, _utc(since), net, reason or "", expected)
        for token, title, outcome, status, shares, price, since, net, reason, expected in rows.fetchall()
    ]
    notes = con.execute("SELECT arg_max(notes, compared_at) FROM position_summaries").fetchall()[0][0]
    return ComparedPositions(newest[0].astimezone(UTC), held, json.loads(notes or "{}"))


def read_exits(con: "duckdb.DuckDBPyConnection", wallets: Wallets) -> StoredExits | None:
    """The uncopied exits at the end of the newest attributed day; None before the first one."""
    day = con.execute(f"SELECT max(day), arg_max(fills_from, day) FROM gap_attribution WHERE {of_pair(wallets)}").fetchone()
    if day is None or day[0] is None:
        return None
    rows = con.execute(
        f"SELECT token_id, title FROM uncopied_exits WHERE {of_pair(wallets)} AND day = {literal(day[0])}"
    ).fetchall()
    return StoredExits(day[0].astimezone(UTC) + DAY, _utc(day[1]), dict(rows))


def read_compared_at(con: "duckdb.DuckDBPyConnection", wallets: Wallets, now: datetime) -> datetime | None:
    """Time of the newest comparison of this pair."""
    ((newest,),) = con.execute(
        f"SELECT max(compared_at) FROM position_summaries WHERE {of_pair(wallets)} AND compared_at <= {literal(now)}"
    ).fetchall()
    return _utc(newest)


def read_eligible_fills(con: "duckdb.DuckDBPyConnection", wallets: Wallets, now: datetime) -> list[EligibleFill]:
    """The newest eligible fills, newest first."""
    rows = con.execute(
        "SELECT timestamp, latency, slippage_cents, ambiguous FROM copy_fills "
        f"WHERE {of_pair(wallets)} AND eligible AND timestamp > {literal(now - FILLS_DAYS)} "
        f"ORDER BY timestamp DESC, key LIMIT {NEWEST_FILLS}"
    ).fetchall()
    return [EligibleFill(at.astimezone(UTC), *rest) for at, *rest in rows]


def read_copied_days(con: "duckdb.DuckDBPyConnection", wallets: Wallets, now: datetime, fills: int) -> CopiedDays | None:
    """The newest eligible fills by day: at least `fills`, and all of the `RATE_DAYS` days that end with the newest one.
    None without any."""
    chosen = (
        "SELECT timestamp, coalesce(nullif(event_slug, ''), condition_id, token_id) AS event, copier_shares > 0 AS copied, "
        f"ambiguous FROM copy_fills WHERE {of_pair(wallets)} AND eligible AND timestamp > {literal(now - FILLS_DAYS)} "
        f"QUALIFY row_number() OVER (ORDER BY timestamp DESC, key) <= {literal(fills)} "
        f"OR timestamp >= date_trunc('day', max(timestamp) OVER ()) - INTERVAL {RATE_DAYS - 1} DAY"
    )
    days = con.execute(
        "SELECT timestamp::DATE, count(*) FILTER (copied), count(*), count(*) FILTER (copied AND ambiguous), "
        f"min(timestamp), max(timestamp) FROM ({chosen}) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    if not days:
        return None
    ((events,),) = con.execute(
        f"SELECT sum(n) ** 2 / sum(n ** 2) FROM (SELECT count(*) AS n FROM ({chosen}) GROUP BY event)"
    ).fetchall()
    return CopiedDays(
        {day: (copied, eligible) for day, copied, eligible, *_ in days},
        sum(row[3] for row in days),
        events,
        days[0][4].astimezone(UTC),
        days[-1][5].astimezone(UTC),
    )


def read_pairs(con: "duckdb.DuckDBPyConnection", wallets: Wallets, now: datetime) -> list[SizePair]:
    """The whale's and the copier's shares, newest first, of the fills that measure copy_metrics_daily.realised_ratio.

    Only days on which the configured ratio was in effect, so that a setting changed today is not compared with old fills.
    """
    bot = wallets.bot
    rows = con.execute(
        "SELECT whale_shares, copier_shares FROM copy_fills "
        f"WHERE {of_pair(wallets)} AND timestamp > {literal(now - PAIRS_DAYS)} AND side = 'BUY' AND copier_fills = 1 "
        "AND NOT ambiguous AND NOT coalesce(joined, false) AND status <> 'own' "
        f"AND whale_shares >= {literal(bot.floor_shares)} AND whale_shares < {literal(bot.lowest_tier)} "
        f"AND copier_shares * whale_price >= {literal(TELLING * bot.minimum_usd)} "
        f"AND copier_shares >= {literal(TELLING * bot.minimum_shares)} "
        f"AND abs(ratio / {literal(wallets.ratio)} - 1) < 1e-9 "
        "ORDER BY timestamp DESC, key"
    ).fetchall()
    return [SizePair(*row) for row in rows]


def read_pnl(con: "duckdb.DuckDBPyConnection", wallets: Wallets, now: datetime, days: float) -> CopierPnl | None:
    """The copier's cumulative PnL of the last `days`."""
    peak, last, at = con.execute(
        f"SELECT max(p), arg_max(p, t), max(t) FROM wallet_pnl WHERE wallet = {literal(wallets.copier)} "
        f"AND t > {literal(now - timedelta(days=days))}"
    ).fetchall()[0]
    return None if peak is None else CopierPnl(peak, last, at.astimezone(UTC))


def read_lines(con: "duckdb.DuckDBPyConnection", now: datetime) -> list[LogLine]:
    """The lines of the bot's log of the last hour, oldest first."""
    since = now - LOG_HOUR
    rows = con.execute(
        "SELECT logged_at, outcome, http_status, coalesce(reason, ''), tx_hash, token_id FROM trade_log "
        f"WHERE day >= {literal(since - DAY)} AND logged_at >= {literal(since)} ORDER BY logged_at, byte_offset"
    ).fetchall()
    return [LogLine(at.astimezone(UTC), *rest) for at, *rest in rows]


def read_copier_fills(con: "duckdb.DuckDBPyConnection", now: datetime) -> list[datetime]:
    """Times of the copier's fills of the last hour, as the bot's logs record them, oldest first."""
    since = now - LOG_HOUR
    rows = con.execute(
        f"SELECT logged_at FROM own_fills WHERE day >= {literal(since - DAY)} AND logged_at >= {literal(since)} UNION ALL "
        f"SELECT logged_at FROM trade_log WHERE day >= {literal(since - DAY)} AND logged_at >= {literal(since)} "
        "AND fill_state IN ('FULL', 'PARTIAL') AND filled_shares > 0 ORDER BY logged_at"
    ).fetchall()
    return [at.astimezone(UTC) for (at,) in rows]


def read_unproven_days(con: "duckdb.DuckDBPyConnection", wallets: Wallets) -> dict[str, dict[datetime, str]]:
    """Wallet -> its unknown days, with the reason."""
    rows = con.execute(
        "SELECT wallet, day, reason FROM activity_unknown_days "
        f"WHERE wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)})"
    ).fetchall()
    found: dict[str, dict[datetime, str]] = {}
    for wallet, day, reason in rows:
        found.setdefault(wallet, {})[day.astimezone(UTC)] = reason
    return found


def read_stored_activity(con: "duckdb.DuckDBPyConnection", wallets: Wallets, now: datetime) -> dict[str, datetime]:
    """Wallet -> time of its newest activity that is stored, of the last 7 days."""
    rows = con.execute(
        "SELECT wallet, max(timestamp) FROM wallet_activity "
        f"WHERE wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)}) "
        f"AND timestamp BETWEEN {literal(now - 7 * DAY)} AND {literal(now)} GROUP BY wallet"
    ).fetchall()
    return {wallet: at.astimezone(UTC) for wallet, at in rows}


def read_log_position(con: "duckdb.DuckDBPyConnection", file: str) -> tuple[int, int, datetime] | None:
    """Inode and size of a log when it was last read, and the time of that; None before the first read."""
    row = con.execute(
        f"SELECT inode, size, read_at FROM log_positions WHERE file = {literal(file)} "
        "ORDER BY read_at DESC, row_count DESC LIMIT 1"
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2].astimezone(UTC))


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)
