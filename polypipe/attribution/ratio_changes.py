"""Ratio changes that the sizes of copies show, in table `ratio_changes`."""

# ruff: noqa: S608 -- values are written as literals

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from polypipe.attribution.days import midnight_before, moment
from polypipe.attribution.ratios import RatioChange, Ratios
from polypipe.attribution.tables import ratios_by_hour
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal
from polypipe.warehouse.rows import RatioChangeRow

if TYPE_CHECKING:
    import duckdb


def read_changes(con: "duckdb.DuckDBPyConnection", wallets: Wallets) -> list[RatioChange]:
    """All stored changes of the pair, in order of time."""
    rows = con.execute(
        "SELECT epoch(changed_at), ratio_before, ratio_after FROM ratio_changes "
        f"WHERE user1_address = {literal(wallets.copier)} AND user2_address = {literal(wallets.whale)} ORDER BY 1"
    ).fetchall()
    return [RatioChange(*row) for row in rows]


def change_rows(wallets: Wallets, changes: Iterable[RatioChange]) -> list[RatioChangeRow]:
    """Rows of table `ratio_changes`."""
    return [
        {
            "user1_address": wallets.copier,
            "user2_address": wallets.whale,
            "changed_at": moment(change.t),
            "ratio_before": change.before,
            "ratio_after": change.after,
        }
        for change in changes
    ]


def change_notes(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime
) -> dict[datetime, list[str]]:
    """Day -> notes on the ratio changes of [start, end): when, from what to what, and what shows it."""
    hours = ratios_by_hour(con, wallets, moment(0.0), end)  # all of them: the day's first ratio follows an earlier one
    ratios = Ratios(hours, {}, wallets.ratio, read_changes(con, wallets))
    notes: dict[datetime, list[str]] = {}
    for change in ratios.changes(start.timestamp(), end.timestamp()):
        source = "shown by the sizes of copies, no snapshot has it" if change.by_sizes else "shown by snapshots"
        notes.setdefault(midnight_before(change.t), []).append(
            f"the ratio changed from {change.before:g} to {change.after:g} at {moment(change.t):%H:%M} UTC, {source}"
        )
    return notes
