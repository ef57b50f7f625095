"""What the tables know, read through the warehouse's reader. Rows become the plain values of `situation.py`, nothing is
judged here. What a clock that was ahead has written is left out until its time comes: as the newest row it would hide what
really is, and pass for fresh."""

# ruff: noqa: S608 -- values are written as literals

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from polypipe.caches.registry import CACHES
from polypipe.divergence.copy_rule import FLOOR_SHARES, TELLING_USD, TIER_SHARES
from polypipe.health.facts import Copied, Crawl, File, Held, Logged, Positions, Quality, Snapshot
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

DAY = timedelta(days=1)
FILLS_LOOKED_AT = 1000
FILLS_DAYS, PAIRS_DAYS = 30 * DAY, 7 * DAY
LOG_LOOKED_AT = timedelta(hours=1)
_CRAWLS_LOOKED_AT = 25


def read_files(con: "duckdb.DuckDBPyConnection", now: datetime) -> list[File]:
    """Every file of the registry."""
    rows = con.execute(
        "SELECT file, max(time) FILTER (accepted), arg_max(accepted, time), arg_max(reason, time) FROM publications "
        f"WHERE time BETWEEN {literal(now - 30 * DAY)} AND {literal(now)} GROUP BY file"
    ).fetchall()
    found = {file: rest for file, *rest in rows}
    files = []
    for spec in CACHES:
        accepted_at, newest_accepted, reason = found.get(spec.file, (None, True, None))
        refused = None if newest_accepted else reason or "no reason given"
        files.append(File(spec.file, spec.fresh_within, _utc(accepted_at), refused))
    return files


def read_crawls(con: "duckdb.DuckDBPyConnection", now: datetime) -> list[Crawl]:
    """The crawls of the last days by kind."""
    crawls = []
    for kind in ("universe", "live"):
        rows = con.execute(
            "SELECT complete, error, started_at, dropped FROM crawls "
            f"WHERE kind = {literal(kind)} AND finished_at BETWEEN {literal(now - 7 * DAY)} AND {literal(now)} "
            f"ORDER BY finished_at DESC LIMIT {_CRAWLS_LOOKED_AT}"
        ).fetchall()
        complete = next((n for n, row in enumerate(rows) if row[0]), len(rows))
        last = rows[complete] if complete < len(rows) else None
        crawls.append(
            Crawl(
                kind,
                incomplete=complete,
                error=(rows[0][1] or "") if complete else "",
                observed_at=_utc(last[2]) if last else None,
                dropped=(last[3] or 0) if last else 0,
            )
        )
    return crawls


def read_versions(con: "duckdb.DuckDBPyConnection") -> dict[str, int]:
    """Protocol version -> markets of the stored universe that have it; without those that name none."""
    return dict(con.execute("SELECT version, count(*) FROM markets WHERE version IS NOT NULL GROUP BY 1").fetchall())


def read_snapshot(con: "duckdb.DuckDBPyConnection", wallets: Wallets, now: datetime) -> Snapshot | None:
    """The newest one of these wallets."""
    row = con.execute(
        "SELECT timestamp, sources, reasons, user1_pnl, user1_value FROM snapshots "
        f"WHERE {_of(wallets)} AND origin = 'polypipe' AND timestamp BETWEEN {literal(now - 7 * DAY)} AND {literal(now)} "
        "ORDER BY timestamp DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    time = row[0].astimezone(UTC)
    sources: Mapping[str, Mapping[str, Any]] = json.loads(row[1] or "{}")
    answered = {
        name: None if source["age"] is None else time - timedelta(seconds=source["age"]) for name, source in sources.items()
    }
    return Snapshot(time, answered, json.loads(row[2]), row[3], row[4])


def read_quality(con: "duckdb.DuckDBPyConnection", wallets: Wallets, window_days: int) -> Quality | None:
    """The newest day's row for a window of so many days."""
    row = con.execute(
        f"SELECT day, gap, gap_t, capital FROM copy_quality_daily WHERE {_of(wallets)} "
        f"AND window_days = {literal(window_days)} ORDER BY day DESC LIMIT 1"
    ).fetchone()
    return None if row is None else Quality(row[0].astimezone(UTC) + DAY, *row[1:])


def read_positions(con: "duckdb.DuckDBPyConnection", wallets: Wallets) -> Positions | None:
    """The comparison that is stored, when it is of these wallets."""
    newest = con.execute(
        f"SELECT max(compared_at), max(compared_at) FILTER ({_of(wallets)}) FROM position_summaries"
    ).fetchone()
    if newest is None or newest[0] is None or newest[0] != newest[1]:
        return None
    rows = con.execute("SELECT token_id, title, outcome, status, copier_size, price, whale_out_since FROM positions")
    held = [
        Held(token, title or "", outcome or "", status, shares, price, _utc(since))
        for token, title, outcome, status, shares, price, since in rows.fetchall()
    ]
    return Positions(newest[0].astimezone(UTC), held)


def read_copied(con: "duckdb.DuckDBPyConnection", wallets: Wallets, now: datetime) -> list[Copied]:
    """The newest eligible fills, newest first."""
    rows = con.execute(
        "SELECT timestamp, order_sent, latency, slippage_cents FROM copy_fills "
        f"WHERE {_of(wallets)} AND eligible AND timestamp > {literal(now - FILLS_DAYS)} "
        f"ORDER BY timestamp DESC, key LIMIT {FILLS_LOOKED_AT}"
    ).fetchall()
    return [Copied(at.astimezone(UTC), *rest) for at, *rest in rows]


def read_pairs(con: "duckdb.DuckDBPyConnection", wallets: Wallets, now: datetime) -> list[float]:
    """Copier's over whale's shares, sorted, of the fills by which copy_metrics_daily.realised_ratio is measured; only of
    days on which the ratio in force was the present one, so that a setting changed today is not held against old fills."""
    rows = con.execute(
        "SELECT copier_shares / whale_shares AS r FROM copy_fills "
        f"WHERE {_of(wallets)} AND timestamp > {literal(now - PAIRS_DAYS)} AND side = 'BUY' AND copier_fills = 1 "
        "AND NOT ambiguous AND status <> 'own' "
        f"AND whale_shares >= {literal(FLOOR_SHARES)} AND whale_shares < {literal(TIER_SHARES)} "
        f"AND copier_shares * whale_price >= {literal(TELLING_USD)} "
        f"AND abs(ratio / {literal(wallets.ratio)} - 1) < 1e-9 ORDER BY r"
    ).fetchall()
    return [ratio for (ratio,) in rows]


def read_pnl(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, now: datetime, days: float
) -> tuple[float | None, float | None, datetime | None]:
    """Peak and last value of the copier's cumulative PnL in the last days, and when the last one was."""
    row = con.execute(
        f"SELECT max(p), arg_max(p, t), max(t) FROM wallet_pnl WHERE wallet = {literal(wallets.copier)} "
        f"AND t > {literal(now - timedelta(days=days))}"
    ).fetchone()
    return (None, None, None) if row is None else (row[0], row[1], _utc(row[2]))


def read_lines(con: "duckdb.DuckDBPyConnection", now: datetime) -> list[Logged]:
    """The lines of the bot's log of the last hour, oldest first."""
    since = now - LOG_LOOKED_AT
    rows = con.execute(
        "SELECT logged_at, outcome, http_status, coalesce(reason, ''), tx_hash, token_id FROM trade_log "
        f"WHERE day >= {literal(since - DAY)} AND logged_at >= {literal(since)} ORDER BY logged_at, byte_offset"
    ).fetchall()
    return [Logged(at.astimezone(UTC), *rest) for at, *rest in rows]


def read_log_position(con: "duckdb.DuckDBPyConnection", file: str) -> tuple[int, int, datetime] | None:
    """Inode and size of a log when it was last read, and when; None when it never was."""
    row = con.execute(
        f"SELECT inode, size, read_at FROM log_positions WHERE file = {literal(file)} "
        "ORDER BY read_at DESC, row_count DESC LIMIT 1"
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2].astimezone(UTC))


def _of(wallets: Wallets) -> str:
    return f"user1_address = {literal(wallets.copier)} AND user2_address = {literal(wallets.whale)}"


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)
