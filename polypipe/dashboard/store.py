"""The published tables in memory, reduced to what the page needs and updated in the background.

Each file in `sql/` defines one table of the store. A year of snapshots takes 60 MB as numbers; with its texts it would
take half a gigabyte.
"""

# ruff: noqa: S608 -- the SQL is our own, values are written as literals

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

from polypipe.limits import limits
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse
from polypipe.warehouse.connection import fetch_rows, literal
from polypipe.warehouse.current import Current
from polypipe.warehouse.follow import FollowedTable, FollowerStatus, FollowingReader
from polypipe.warehouse.read import select
from polypipe.warehouse.tables import DAY_COLUMN

if TYPE_CHECKING:
    import duckdb

QUARTER_MS = 900_000
"""A quarter of an hour: the resolution of table `quarters`. It divides a day, the unit in which tables are loaded."""

SERIES = (
    "user1_value", "user1_pnl", "user1_volume", "user1_rank", "user2_value", "user2_pnl", "user2_volume", "user2_rank",
    "expected_pnl", "pnl_vs_expected", "pnl_efficiency", "loss_share", "scaling_ratio",
)  # fmt: skip
"""The numbers of a snapshot that charts can draw."""

Json = dict[str, Any]
"""A JSON object, to be encoded."""

T = TypeVar("T")
TableRow = TypeVar("TableRow", bound=Mapping[str, Any])  # a TypedDict of `polypipe.warehouse.rows`
_ANY_TIME = datetime.fromtimestamp(0, UTC)


class Store(FollowingReader):
    """The tables of `shapes()`, without the rows of wallets other than the settings' pair."""

    def __init__(self, warehouse: Warehouse, settings: Settings, poll_seconds: float = 0.1) -> None:
        self._ours = _ours(settings)
        self.hole_ms = hole_ms(settings)
        self._kept: dict[str, tuple[FollowerStatus, Any]] = {}
        fill = {"{ours}": self._ours, "{hole_ms}": str(self.hole_ms)}
        super().__init__(warehouse, poll_seconds, [_filled(shape, fill) for shape in shapes()])

    @contextmanager
    def at_once(self) -> Iterator["View"]:
        """Yields a view for queries that must all see one version, whatever is loaded meanwhile."""
        status = self.status  # read before the rows: they may be newer than the status says, never older
        with self.cursor() as con:
            con.execute("BEGIN")
            try:
                yield View(self, con, status)
            finally:
                con.execute("ROLLBACK")

    def once(self, name: str, status: FollowerStatus, make: Callable[[], T]) -> T:
        """The result of `make`, called once for each version."""
        status = replace(status, checked_at=_ANY_TIME)
        kept = self._kept.get(name)
        if kept is None or kept[0] != status:
            kept = self._kept[name] = (status, make())
        value: T = kept[1]
        return value

    def day_query(self, current: Current | None, table: str, day: date, condition: str) -> str:
        """A query for the rows of a UTC day in a table that is not in memory: it reads the published file."""
        known = current.tables.get(table) if current is not None else None
        published = [file for file in known.files if day in file.days()] if known is not None else []
        return f"FROM ({select(self._warehouse.layout, table, published)}) WHERE {self._ours} AND {condition}"


class View:
    """The tables of a store at one version, for one thread. `status` describes the version."""

    def __init__(self, store: Store, con: "duckdb.DuckDBPyConnection", status: FollowerStatus) -> None:
        self._store = store
        self._con = con
        self.status = status
        self.hole_ms = store.hole_ms

    def values(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        found: list[tuple[Any, ...]] = self._con.execute(query).fetchall()
        return found

    def rows(self, query: str) -> list[Json]:
        """The rows of a query as dicts."""
        return self.rows_of(Json, query)

    def rows_of(self, row_type: type[TableRow], query: str) -> list[TableRow]:
        """The rows of a query that selects every column of a table, as that table's row type."""
        return fetch_rows(self._con.execute(query), row_type)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """The result of `make`, called once for each version."""
        return self._store.once(name, self.status, make)

    def day_rows(self, table: str, day: date, condition: str) -> list[Json]:
        """The rows of a UTC day in a table that is not in memory, read from its published file."""
        return self.rows(self._store.day_query(self.status.current, table, day, condition))


def hole_ms(settings: Settings) -> int:
    """The distance of two snapshots, in milliseconds, above which there is a hole between them."""
    return round(limits(settings).snapshot_gap.total_seconds() * 1000)


@cache
def shapes() -> tuple[FollowedTable, ...]:
    """Every table of the store whose source exists in this version of polypipe."""
    found = []
    for entry in sorted(files("polypipe.dashboard").joinpath("sql").iterdir(), key=lambda entry: entry.name):
        sql = entry.read_text(encoding="utf-8")
        match = re.match(r"-- from (\w+)(?:, newest (\d+) days)?:", sql)
        assert match, entry.name
        found.append(FollowedTable(entry.name.removesuffix(".sql"), match[1], sql, int(match[2]) if match[2] else None))
    found.append(FollowedTable("quarters", "snapshots", _quarters()))
    return tuple(shape for shape in found if shape.source in DAY_COLUMN)


def _quarters() -> str:
    """SQL of table `quarters`: for each number its minimum, its maximum, and the instants of both."""
    figures = ", ".join(
        f"min({name}) AS {name}_min, max({name}) AS {name}_max, "
        f"arg_min(id, {name}) AS {name}_min_at, arg_max(id, {name}) AS {name}_max_at"
        for name in SERIES
    )
    return f"SELECT min(id) AS first_id, max(id) AS last_id, {figures} FROM rows WHERE {{ours}} GROUP BY id // {QUARTER_MS}"


def _ours(settings: Settings) -> str:
    if settings.copier_address is None or settings.whale_address is None:
        return "true"
    pair = f"user1_address = {literal(settings.copier_address)} AND user2_address = {literal(settings.whale_address)}"
    return f"(({pair}) OR user1_address IS NULL)"  # rows of an old database name no wallets


def _filled(shape: FollowedTable, values: dict[str, str]) -> FollowedTable:
    sql = shape.sql
    for name, value in values.items():
        sql = sql.replace(name, value)
    return replace(shape, sql=sql)
