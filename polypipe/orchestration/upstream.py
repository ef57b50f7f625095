"""What an asset of past days needs stored before its days can be computed.

Without it the tables would get days whose every number is null, which Dagster shows as materialized.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from polypipe.errors import PolypipeError
from polypipe.orchestration.day_ranges import spans
from polypipe.text import count
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb

StoredDays = Mapping[date, str | None]
"""Day -> None if it is complete, or the reason why it is not; a day that was never stored is absent."""

ReadDays = Callable[["duckdb.DuckDBPyConnection", Wallets, date, date], StoredDays]
"""Reads the stored days of a pair, from the first date to the second, both included."""

SHOWN_SPANS = 3


@dataclass(frozen=True)
class Upstream:
    """An asset that another one is computed from. `may_be_empty`: a day that was read can have no rows."""

    asset: str
    read_days: ReadDays
    may_be_empty: bool = False


def require_stored(
    warehouse: Warehouse,
    wallets: Wallets,
    days: Sequence[date],
    upstream: Sequence[Upstream],
    materialized: Callable[[str], Collection[date]],
) -> None:
    """Raise `PolypipeError`, which names asset and days, unless `upstream` is stored for all of `days`.

    `materialized` returns the days that Dagster has recorded for an asset: evidence for those that may be empty.
    """
    if not days:
        return
    with warehouse.read() as con:
        stored = {one: one.read_days(con, wallets, days[0], days[-1]) for one in upstream}
    for one, found in stored.items():
        missing = [day for day in days if day not in found]
        if missing and one.may_be_empty:
            recorded = materialized(one.asset)
            missing = [day for day in missing if day not in recorded]
        if missing:
            shown = [str(span) for span in spans(missing)]
            more = f" and {count(len(shown) - SHOWN_SPANS, 'more range')}" if len(shown) > SHOWN_SPANS else ""
            raise PolypipeError(
                f"{one.asset} is missing for {count(len(missing), 'day')}: {', '.join(shown[:SHOWN_SPANS])}{more}",
                f"run `polypipe backfill --from {missing[0]} --to {missing[-1]}`, or include {one.asset} in the selection",
            )
