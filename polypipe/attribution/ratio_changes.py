"""Ratio changes that the sizes of copies show, in table `ratio_changes`, and the notes on all changes."""

from collections.abc import Iterable
from datetime import datetime

from polypipe.attribution.days import midnight_before, moment
from polypipe.history.ratios import RatioChange, Ratios
from polypipe.wallets import Wallets
from polypipe.warehouse.rows import RatioChangeRow

SHOWN_BY = {
    "sizes": "shown by the sizes of copies, no snapshot has it",
    "snapshots": "shown by snapshots",
    "setting": "the setting had changed by the end of the day; no copy or snapshot shows the hour",
}


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


def change_notes(ratios: Ratios, start: datetime, end: datetime) -> dict[datetime, list[str]]:
    """Day -> notes on the ratio changes of [start, end): when, from what to what, and what shows it."""
    notes: dict[datetime, list[str]] = {}
    for change in ratios.changes(start.timestamp(), end.timestamp()):
        notes.setdefault(midnight_before(change.t), []).append(
            f"the ratio changed from {change.before:g} to {change.after:g} at {moment(change.t):%H:%M} UTC, "
            f"{SHOWN_BY[change.source]}"
        )
    return notes
