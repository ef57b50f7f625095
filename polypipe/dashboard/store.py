"""What the dashboard keeps of the published tables, in memory, brought up to date in the background.

Each file in `sql/` is one table here: what the page needs of a published table, and no more. A year of snapshots with
its texts would take half a gigabyte; as numbers it takes 60 MB.
"""

# ruff: noqa: S608 -- the SQL is our own, values are written as literals

import contextlib
import ctypes
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from polypipe.settings import Settings
from polypipe.warehouse import Warehouse
from polypipe.warehouse.connection import literal, quoted
from polypipe.warehouse.follow import Following, FollowingReader
from polypipe.warehouse.publish import Current, PublishedFile
from polypipe.warehouse.read import select
from polypipe.warehouse.tables import DAY_COLUMN

QUARTER_MS = 900_000
"""A quarter of an hour: the step to which the whole history is summed up. Parts are days, which it divides."""

LEAST_HOLE_MS = 180_000

SERIES = (
    "user1_value", "user1_pnl", "user1_volume", "user1_rank", "user2_value", "user2_pnl", "user2_volume", "user2_rank",
    "expected_pnl", "pnl_vs_expected", "pnl_efficiency", "loss_share", "scaling_ratio",
)  # fmt: skip
"""The numbers of a snapshot that have a history."""

Row = dict[str, Any]
T = TypeVar("T")
_ANY_TIME = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Shape:
    """One table of the store: the published table it is made from, of which only the newest `days` if that is not None,
    and the query over its `rows`."""

    name: str
    source: str
    sql: str
    days: int | None = None

    def files(self, published: list[PublishedFile]) -> list[PublishedFile]:
        """The files that are read."""
        dates = [day for file in published[-1:] for day in file.days()]
        if self.days is None or not dates:
            return published
        first = max(dates) - timedelta(days=self.days - 1)
        return [file for file in published if any(day >= first for day in file.days())]


class Store(FollowingReader):
    """The tables of `shapes()` as views, each made of a part for closed days and one for the newest day.

    Rows of other wallets than those of the settings are left out: they are the history of another pair.
    """

    def __init__(self, warehouse: Warehouse, settings: Settings, poll_seconds: float = 0.1) -> None:
        self._ours = _ours(settings)
        self.hole_ms = hole_ms(settings)
        self._making = threading.Lock()
        self._made = False
        self._kept: dict[str, tuple[Following, Any]] = {}
        super().__init__(warehouse, poll_seconds)
        self._make()

    def values(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.cursor() as con:
            found: list[tuple[Any, ...]] = con.execute(query).fetchall()
            return found

    def rows(self, query: str) -> list[Row]:
        """The rows of a query by column name."""
        with self.cursor() as con:
            con.execute(query)
            names = [name for name, *_ in con.description or []]
            return [dict(zip(names, row, strict=True)) for row in con.fetchall()]

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives, made once for each version that is shown."""
        status = replace(self.status, checked_at=_ANY_TIME)
        kept = self._kept.get(name)
        if kept is None or kept[0] != status:
            kept = self._kept[name] = (status, make())
        value: T = kept[1]
        return value

    def day_rows(self, table: str, day: date, condition: str) -> list[Row]:
        """The rows of a UTC day of a table that is not kept in memory, read from its published file."""
        current = self._warehouse.current()
        known = current.tables.get(table) if current is not None else None
        published = [file for file in known.files if day in file.days()] if known is not None else []
        return self.rows(f"FROM ({select(self._warehouse.layout, table, published)}) WHERE {self._ours} AND {condition}")

    def _make(self) -> None:
        """Create the tables, empty, once."""
        with self._making, self.cursor() as con:
            if self._made:
                return
            con.execute("SET GLOBAL enable_external_file_cache = false")  # every published file is read once: 65 MB less
            for table in DAY_COLUMN:  # the whole tables, which the class above would show
                con.execute(f"DROP VIEW main.{quoted(table)}")
            for shape in shapes():
                for part in _parts(shape):
                    con.execute(f"CREATE TABLE {part} AS {self._query(shape, f'FROM stored.{shape.source}')}")
                con.execute(f"CREATE VIEW main.{shape.name} AS " + " UNION ALL ".join(f"FROM {p}" for p in _parts(shape)))
            self._made = True

    def _load(self, current: Current) -> None:
        self._make()
        wanted: dict[str, tuple[Shape, list[PublishedFile]]] = {}
        for shape in shapes():
            known = current.tables.get(shape.source)
            published = shape.files(known.files) if known is not None else []
            closed, newest = _parts(shape)
            wanted |= {closed: (shape, published[:-1]), newest: (shape, published[-1:])}
        changed = {
            part: paths
            for part, (_, published) in wanted.items()
            if (paths := [file.path for file in published]) != self._loaded.get(part, [])
        }
        with self.cursor() as con:
            con.execute("BEGIN")
            for part in changed:
                shape, published = wanted[part]
                rows = select(self._warehouse.layout, shape.source, published)
                con.execute(f"CREATE OR REPLACE TABLE {part} AS {self._query(shape, rows)}")
            con.execute("COMMIT")
        self._loaded |= changed
        if any(part in changed for shape in shapes() for part in _parts(shape)[:1]):
            _give_back_memory()  # closed days, at start and after midnight: reading them takes more than what is kept

    def _query(self, shape: Shape, rows: str) -> str:
        sql = shape.sql.replace("{ours}", self._ours).replace("{hole_ms}", str(self.hole_ms))
        return f"WITH rows AS ({rows}) FROM ({sql})"


def _give_back_memory() -> None:
    """Let the system have what was freed: glibc keeps it otherwise, about 25 MB here. Other libraries do not."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def hole_ms(settings: Settings) -> int:
    """Two snapshots further apart than this, in milliseconds, have a hole between them: three are missing."""
    return max(LEAST_HOLE_MS, 3000 * settings.snapshot_seconds)


@cache
def shapes() -> tuple[Shape, ...]:
    """Every table of the store. A published table that this version does not have is left out."""
    found = []
    for entry in sorted(files("polypipe.dashboard").joinpath("sql").iterdir(), key=lambda entry: entry.name):
        sql = entry.read_text(encoding="utf-8")
        match = re.match(r"-- from (\w+)(?:, newest (\d+) days)?:", sql)
        assert match, entry.name
        found.append(Shape(entry.name.removesuffix(".sql"), match[1], sql, int(match[2]) if match[2] else None))
    found.append(Shape("quarters", "snapshots", _quarters()))
    return tuple(shape for shape in found if shape.source in DAY_COLUMN)


def _quarters() -> str:
    """A quarter of an hour as one row: of each number the least and greatest value, and when each was."""
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


def _parts(shape: Shape) -> tuple[str, str]:
    return f'stored."shape_{shape.name}_closed"', f'stored."shape_{shape.name}_newest"'
