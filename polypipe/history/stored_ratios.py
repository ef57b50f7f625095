"""Reads the evidence of past ratios from the tables."""

# ruff: noqa: S608 -- values are written as literals

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, NamedTuple

from polypipe.history.ratios import RatioChange, Ratios
from polypipe.wallets import Wallets
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb


class Evidence(NamedTuple):
    """Everything stored about past ratios, as in `Ratios`: without all snapshots, an old change would count beyond them."""

    hours: Mapping[int, float]
    days: Mapping[date, float]
    shown: Sequence[RatioChange]

    def ratios(self, setting: float) -> Ratios:
        """The ratio in effect by this evidence."""
        return Ratios(self.hours, self.days, setting, self.shown)


def read_evidence(con: "duckdb.DuckDBPyConnection", wallets: Wallets, without_days: Collection[date] = ()) -> Evidence:
    """All evidence of the pair's ratio, except the ratio stored with the days in `without_days`."""
    ours = of_pair(wallets)
    hours = con.execute(
        "SELECT epoch(date_trunc('hour', timestamp)) // 3600, arg_max(scaling_ratio, timestamp) FROM snapshots "
        f"WHERE (({ours}) OR origin = 'import') AND scaling_ratio IS NOT NULL GROUP BY ALL"
    ).fetchall()
    days = con.execute(
        "SELECT epoch(day), scaling_ratio FROM copy_quality_daily "
        f"WHERE window_days = 1 AND scaling_ratio IS NOT NULL AND {ours}"
    ).fetchall()
    shown = con.execute(
        f"SELECT epoch(changed_at), ratio_before, ratio_after FROM ratio_changes WHERE {ours} ORDER BY 1"
    ).fetchall()
    stored = {datetime.fromtimestamp(t, UTC).date(): ratio for t, ratio in days}
    return Evidence(
        {int(hour): ratio for hour, ratio in hours},
        {day: ratio for day, ratio in stored.items() if day not in without_days},
        [RatioChange(*row) for row in shown],
    )
