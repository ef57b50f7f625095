"""Days whose activity is not known completely, with the reasons: what copies, exits and coverage of these days lack."""

# ruff: noqa: S608 -- values are written as literals

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from polypipe.orchestration.day_ranges import days_text
from polypipe.text import count
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

UnknownDay = tuple[str, date, str]
"""(copier or whale, day, reason)."""


def read_unknown_days(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime
) -> list[UnknownDay]:
    """The days of [start, end) in activity_unknown_days, by day."""
    rows = con.execute(
        f"SELECT wallet, day, reason FROM activity_unknown_days WHERE day >= {literal(start)} AND day < {literal(end)} "
        f"AND wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)}) ORDER BY day, wallet"
    ).fetchall()
    return [
        ("copier" if wallet == wallets.copier else "whale", day.astimezone(UTC).date(), why) for wallet, day, why in rows
    ]


def day_note(who: str, reason: str) -> str:
    """The note beside one day."""
    return f"the {who}'s activity is not known completely: {reason}"


def span_notes(unknown: Iterable[UnknownDay]) -> list[str]:
    """One line for each wallet and reason, with the days and what to do."""
    days: dict[tuple[str, str], list[date]] = defaultdict(list)
    for who, day, reason in unknown:
        days[who, reason].append(day)
    return [
        f"the {who}'s activity is not known completely on {count(len(found), 'day')} ({days_text(found)}): fills, copies "
        f"and exits may be missing, because {reason}; backfill wallet_activity for these days"
        for (who, reason), found in days.items()
    ]
