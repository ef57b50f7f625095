"""Reads fills, splits and merges, the bot's log and holdings from the tables."""

# ruff: noqa: S608 -- values are written as literals

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from polypipe.attribution.days import DAY, LOOK_BACK, moment
from polypipe.attribution.fees import IN_SHARES
from polypipe.attribution.fills import CopyFill, Fill, SetChange
from polypipe.attribution.groups import Groups
from polypipe.attribution.joined_lines import LogLine, spread
from polypipe.attribution.stored_marks import FILLS
from polypipe.divergence.event_outcomes import OUTCOMES
from polypipe.divergence.exposure import Share
from polypipe.polymarket.activity_types import ACTIVITY_TYPES
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal, shared_rows
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb


def read_fills(
    con: "duckdb.DuckDBPyConnection", wallet: str, start: datetime, end: datetime, bought_since: datetime | None = None
) -> list[Fill]:
    """The fills of a wallet in [start, end) that have token, side, size and price, oldest first.

    With `bought_since` only those of tokens that the wallet bought from then on.
    """
    bought = (
        f"AND asset IN (SELECT asset FROM wallet_activity WHERE {FILLS} AND wallet = {literal(wallet)} AND side = 'BUY' "
        f"AND timestamp >= {literal(bought_since)} AND timestamp < {literal(end)}) "
        if bought_since
        else ""
    )
    rows = con.execute(
        "SELECT key, epoch(timestamp), asset, side, size, price, transaction_hash, usdc_size, condition_id, title, "
        f"event_slug, outcome FROM wallet_activity WHERE {FILLS} AND wallet = {literal(wallet)} "
        f"AND timestamp >= {literal(start)} AND timestamp < {literal(end)} "
        f"AND asset IS NOT NULL AND side IS NOT NULL AND size > 0 AND price > 0 {bought}ORDER BY timestamp, key"
    ).fetchall()
    return [Fill(*row) for row in rows]


def read_copy_fills(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> list[CopyFill]:
    """The matched fills of [start, end), oldest first, with their fees in USD: fees in shares are in `stored_moves.py`."""
    rows = con.execute(
        f"SELECT epoch(timestamp), token_id, side, reason, whale_shares, whale_price, {_in_usd('whale_fee')}, ratio, "
        f"copier_shares, copier_price, {_in_usd('copier_fee')}, condition_id, title, event_slug, outcome, "
        "epoch(copied_at) "
        f"FROM copy_fills WHERE {of_pair(wallets)} "
        f"AND timestamp >= {literal(start)} AND timestamp < {literal(end)} ORDER BY timestamp, key"
    )
    return [CopyFill(*row) for row in shared_rows(rows)]


def _in_usd(fee: str) -> str:
    return f"CASE WHEN {fee}_reason = {literal(IN_SHARES)} THEN 0 ELSE {fee} END"


def read_ambiguous(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime
) -> dict[datetime, tuple[int, int]]:
    """Day -> copied fills whose match is ambiguous, and all copied fills."""
    rows = con.execute(
        "SELECT epoch(date_trunc('day', timestamp)), count(*) FILTER (ambiguous), count(*) FROM copy_fills "
        f"WHERE {of_pair(wallets)} AND eligible "
        f"AND copier_shares > 0 AND timestamp >= {literal(start)} AND timestamp < {literal(end)} GROUP BY ALL"
    ).fetchall()
    return {moment(t): (ambiguous, copied) for t, ambiguous, copied in rows}


def read_sets(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime, wallet: str = ""
) -> list[SetChange]:
    """Splits, merges and conversions of [start, end) by `wallet`, the whale by default."""
    return [
        SetChange(*row)
        for row in con.execute(
            "SELECT epoch(timestamp), CASE type WHEN 'CONVERSION' THEN event_slug ELSE condition_id END AS where_, "
            "CASE type WHEN 'MERGE' THEN -size ELSE size END FROM wallet_activity "
            f"WHERE type IN ('SPLIT', 'MERGE', 'CONVERSION') AND wallet = {literal(wallet or wallets.whale)} "
            "AND where_ IS NOT NULL AND where_ <> '' "
            f"AND size IS NOT NULL AND timestamp >= {literal(start)} AND timestamp < {literal(end)} ORDER BY timestamp"
        ).fetchall()
    ]


def read_events(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> Groups:
    """The neg-risk events in which the wallets traded in [start, end), and their number of outcomes.

    An event that is neither listed by the crawl nor in `event_sizes` is known to be neg-risk by a conversion; its number
    of outcomes is not known then.
    """
    both = f"wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)})"
    rows = con.execute(
        f"WITH known AS ({OUTCOMES}), "
        f"converted AS (SELECT DISTINCT event_slug FROM wallet_activity WHERE type = 'CONVERSION' AND {both} "
        f"AND timestamp < {literal(end)}) "
        "SELECT DISTINCT asset, a.event_slug, a.condition_id, a.outcome_index, outcomes FROM wallet_activity AS a "
        "LEFT JOIN known ON known.slug = a.event_slug LEFT JOIN converted ON converted.event_slug = a.event_slug "
        f"WHERE {FILLS} AND {both} AND timestamp >= {literal(start)} AND timestamp < {literal(end)} "
        "AND asset IS NOT NULL AND condition_id IS NOT NULL AND outcome_index IN (0, 1) AND a.event_slug <> '' "
        "AND (outcomes IS NOT NULL OR converted.event_slug IS NOT NULL)"
    ).fetchall()
    shares = {token: Share(slug, condition, index == 0) for token, slug, condition, index, _ in rows}
    return Groups(shares, {slug: outcomes for _, slug, _, _, outcomes in rows})


def read_unattributed(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime
) -> list[tuple[datetime, str, int, float]]:
    """(day, type, rows, USD) of activity in [start, end) whose type has no known effect."""
    known = ", ".join(literal(name) for name, entry in ACTIVITY_TYPES.items() if entry.treatment != "unknown")
    rows = con.execute(
        "SELECT epoch(date_trunc('day', timestamp)), type, count(*), coalesce(sum(usdc_size), 0) FROM wallet_activity "
        f"WHERE type NOT IN ({known}) AND wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)}) "
        f"AND timestamp >= {literal(start)} AND timestamp < {literal(end)} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return [(moment(t), type_, number, usd) for t, type_, number, usd in rows]


class Log:
    """The lines of the bot's log by (transaction, token, side) of the whale's fill."""

    def __init__(self, lines: Mapping[tuple[str, str, str], Sequence[LogLine]]) -> None:
        self._lines = lines

    def line_of(self, whale: Fill) -> LogLine | None:
        """The line of a fill: of those with its transaction, token and side, the one nearest in size."""
        lines = self._lines.get((whale.transaction, whale.token, whale.side))
        return min(lines, key=lambda line: abs(line.whale_shares - whale.shares)) if lines else None


def read_log(con: "duckdb.DuckDBPyConnection", start: datetime, end: datetime) -> Log:
    """The lines of the bot's log about fills of [start, end); empty without a log.

    Orders for several fills are spread over the lines of these fills.
    """
    # A line is written seconds after the fill, but the day of a log that was read late can be off by one.
    rows = con.execute(
        "SELECT token_id, side, tx_hash, aggregation IS NOT NULL AND coalesce(tx_hash, '') NOT LIKE '0x%' AS common, "
        "whale_shares, outcome, reason, requested_shares, filled_shares, is_live, fill_state, logged_at, "
        "copied_whale_shares, coalesce(aggregated_fills, 1), resubmitted FROM trade_log "
        "WHERE token_id IS NOT NULL AND side IS NOT NULL AND whale_shares IS NOT NULL "
        f"AND (tx_hash IS NOT NULL OR common) AND day >= {literal(start - DAY)} AND day < {literal(end + DAY)} "
        "ORDER BY token_id, side, logged_at, log_id, byte_offset"
    ).fetchall()
    lines: dict[tuple[str, str, str], list[LogLine]] = defaultdict(list)
    for (token, side), group in groupby(rows, key=lambda row: row[:2]):
        of_group = list(group)
        found = spread(
            [LogLine(*row[4:13])._replace(joined=row[13] if row[3] else None, resubmitted=row[14]) for row in of_group]
        )
        for (_, _, transaction, common, *_), line in zip(of_group, found, strict=True):
            if not common:
                lines[transaction, token, side].append(line)
    return Log(lines)


def held_before(con: "duckdb.DuckDBPyConnection", wallet: str, first: datetime) -> dict[str, float]:
    """Token -> shares held at `first`, from the fills of `LOOK_BACK` before it."""
    rows = con.execute(
        "SELECT asset, sum(CASE side WHEN 'BUY' THEN size ELSE -size END) FROM wallet_activity "
        f"WHERE {FILLS} AND wallet = {literal(wallet)} AND asset IS NOT NULL AND side IS NOT NULL "
        f"AND timestamp >= {literal(first - LOOK_BACK)} AND timestamp < {literal(first)} GROUP BY asset"
    ).fetchall()
    return dict(rows)
