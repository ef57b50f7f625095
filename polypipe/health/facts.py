"""Facts: what probes may ask, each read at most once a round, when a probe first asks for it.

Two backends: `Facts` reads the published tables with the batches that wait in the spool; the dashboard's subclass reads the
tables it holds in memory (`polypipe/dashboard/facts.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

from polypipe.attribution.realised_ratio import SizePair
from polypipe.caches.registry import CACHES
from polypipe.caches.spec import CacheSpec
from polypipe.errors import PolypipeError
from polypipe.health import machine, tables
from polypipe.health.records import (
    BotLog,
    ComparedPositions,
    CopiedDays,
    CopierPnl,
    CrawlStreak,
    EligibleFill,
    FailureStreak,
    FileState,
    NewestFills,
    NewestSnapshot,
    Servers,
    SnapshotDay,
    SpoolState,
    StoredExits,
    TicksAndRuns,
    WindowGap,
)
from polypipe.limits import Limits, limits
from polypipe.settings import Settings
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse, WarehouseError
from polypipe.warehouse.current import read_current
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.recovery import REMEMBERED, Lost, Recovery, read_recovery

if TYPE_CHECKING:
    import duckdb
    import psutil

T = TypeVar("T")


class UnknownFact(PolypipeError):
    """A part of the home that cannot be read. The message is one line that begins with the name of the part."""


class Facts:
    """Facts of one home at one instant. A context manager: closing it closes the tables.

    `since`: when watching began; a thing that never was is as old as that, and failing at once if `since` is None.
    `fills`: the newest fills, read beforehand because that takes seconds, or None with the reason in `fills_error`;
    `fills_at`: when they were last read. `read_failures` reads the failure streaks from Dagster's instance. Raises
    `UnknownFact` where a part cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        now: datetime | None = None,
        *,
        warehouse: Warehouse | None = None,
        limits_in_force: Limits | None = None,
        specs: Sequence[CacheSpec] = CACHES,
        versions_known: Sequence[str] = (),
        since: datetime | None = None,
        rules_error: str | None = None,
        state_error: str | None = None,
        fills: NewestFills | None = None,
        fills_error: str = "",
        fills_at: datetime | None = None,
        read_failures: Callable[[], Sequence[FailureStreak]] = tuple,
    ) -> None:
        self.settings = settings
        self.now = now or datetime.now(UTC)
        self.limits = limits_in_force or limits(settings)
        self.specs = specs
        self.versions_known = versions_known
        self.since = since
        self.rules_error = rules_error
        self.state_error = state_error
        self.fills = fills
        self.fills_error = fills_error
        self.fills_at = fills_at
        self.wallets: Wallets | None = settings.wallets
        self._warehouse = warehouse or Warehouse(settings.home)
        self._read_failures = read_failures
        self._open = ExitStack()
        self._errors: dict[str, str] = {}
        self.contents: dict[str, tuple[Mapping[str, Any], str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    # Tables

    @cached_property
    def files(self) -> Sequence[FileState]:
        """The files of the bot, in the order of the registry."""
        return self.read(lambda con: tables.read_files(con, self.specs, self.now))

    @cached_property
    def snapshot(self) -> NewestSnapshot | None:
        """The newest snapshot of the pair."""
        return self._of_pair(lambda con, wallets: tables.read_snapshot(con, wallets, self.now))

    @cached_property
    def snapshot_day(self) -> SnapshotDay:
        """The snapshots of the last 24 hours."""
        return self.read(lambda con: tables.read_snapshot_day(con, self.now))

    @cached_property
    def compared_at(self) -> datetime | None:
        """Time of the newest comparison of positions of the pair."""
        return self._of_pair(lambda con, wallets: tables.read_compared_at(con, wallets, self.now))

    @cached_property
    def positions(self) -> ComparedPositions | None:
        """The stored positions, if they belong to the pair."""
        return self._of_pair(tables.read_positions)

    @cached_property
    def exits(self) -> StoredExits | None:
        """The uncopied exits of the newest attributed day."""
        return self._of_pair(tables.read_exits)

    @cached_property
    def stored_activity(self) -> Mapping[str, datetime]:
        """Wallet -> time of its newest stored activity of the last 7 days."""
        return self._of_pair(lambda con, wallets: tables.read_stored_activity(con, wallets, self.now)) or {}

    @cached_property
    def published_at(self) -> datetime | None:
        """When the newest version of the tables was published."""
        current = self.part("published tables", lambda: read_current(self._warehouse.layout))
        return None if current is None else current.time

    @cached_property
    def recovery(self) -> Recovery | None:
        """The last time that the database was lost or damaged."""
        return self.part("recovery.json", lambda: read_recovery(Layout(self.settings.home)))

    @cached_property
    def lost(self) -> Sequence[Lost]:
        """Rows that no copy had when the database was rebuilt and that no writer has stored again."""
        recovery = self.recovery
        if recovery is None or not recovery.lost:
            return ()
        current = self.part("published tables", lambda: read_current(Layout(self.settings.home)))
        return [lost for lost in recovery.lost_since(self.now - REMEMBERED) if not lost.replaced_in(current)]

    @cached_property
    def crawls(self) -> Sequence[CrawlStreak]:
        """The crawls by kind."""
        return self.read(lambda con: tables.read_crawls(con, self.now))

    @cached_property
    def unproven_days(self) -> Mapping[str, Mapping[datetime, str]]:
        """Wallet -> days that were read and are contradicted by other facts, with the reason."""
        return self._of_pair(tables.read_unproven_days) or {}

    @cached_property
    def announced(self) -> Sequence[str]:
        """What the API announces about its paths, one line each."""
        lines = [line for crawl in self.crawls for line in crawl.announced]
        lines += self.snapshot.announced if self.snapshot else ()
        lines += self.positions.notes.get("announced", "").splitlines() if self.positions else ()
        return sorted(set(lines))

    @cached_property
    def versions(self) -> Mapping[str, int]:
        """Protocol version -> markets of the stored universe."""
        return self.read(tables.read_versions)

    @cached_property
    def window_gap(self) -> WindowGap | None:
        """The gap of the newest window of the alert's length."""
        days = int(self.limits.number("copy_gap", "days"))
        return self._of_pair(lambda con, wallets: tables.read_quality(con, wallets, days))

    @cached_property
    def eligible_fills(self) -> Sequence[EligibleFill]:
        """The newest eligible fills, newest first."""
        return self._of_pair(lambda con, wallets: tables.read_eligible_fills(con, wallets, self.now)) or ()

    @cached_property
    def copied_days(self) -> CopiedDays | None:
        """The newest eligible fills by day, as many as the alert's number and those of a week."""
        fills = int(self.limits.number("copy_rate", "fills"))
        return self._of_pair(lambda con, wallets: tables.read_copied_days(con, wallets, self.now, fills))

    @cached_property
    def pairs(self) -> Sequence[SizePair]:
        """Shares of both in the fills that show the ratio at which the bot copies, newest first."""
        return self._of_pair(lambda con, wallets: tables.read_pairs(con, wallets, self.now)) or ()

    @cached_property
    def copier_pnl(self) -> CopierPnl | None:
        """The copier's hourly PnL over the alert's window."""
        days = self.limits.number("drawdown", "days")
        return self._of_pair(lambda con, wallets: tables.read_pnl(con, wallets, self.now, days))

    @cached_property
    def log(self) -> BotLog:
        """The bot's log."""
        return self.read(lambda con: machine.read_log(con, self.settings, self.now))

    # The machine

    @cached_property
    def free(self) -> Mapping[str, int]:
        """Place -> free bytes."""
        return self.part("disk", lambda: machine.free_bytes(self.settings))

    @cached_property
    def spool(self) -> SpoolState:
        """The batches in the spool."""
        return self.part("spool", lambda: machine.read_spool(self.settings))

    @cached_property
    def up(self) -> "psutil.Process | None":
        """The process that holds the lock of this home."""
        from polypipe.runtime.running import Held, running

        if "up" in self._errors:
            raise UnknownFact(self._errors["up"])
        try:
            return running(self.settings.home)
        except Held as held:
            self._errors["up"] = str(held)
            raise UnknownFact(self._errors["up"]) from held

    @cached_property
    def servers(self) -> Servers:
        """The processes of `polypipe up`."""
        from polypipe.health.servers import read_servers  # late: it loads httpx, which the dashboard never needs

        up = self.up
        return self.part("processes", lambda: read_servers(self.settings, up))

    @cached_property
    def ticks_and_runs(self) -> TicksAndRuns:
        """Dagster's ticks and runs."""
        from polypipe.health.servers import read_ticks_and_runs

        is_up = self.up is not None
        return self.part("ticks and runs", lambda: read_ticks_and_runs(self.settings, is_up))

    @cached_property
    def failures(self) -> Sequence[FailureStreak]:
        """Failures in a row of each job, schedule and sensor."""
        return self._read_failures()

    # Reading

    @cached_property
    def con(self) -> "duckdb.DuckDBPyConnection":
        """The tables."""
        return self._open.enter_context(self._warehouse.read())

    def read(self, query: "Callable[[duckdb.DuckDBPyConnection], T]") -> T:
        """The result of a query. Raises `UnknownFact`."""
        return self.part("published tables", lambda: query(self.con))

    def part(self, name: str, read: Callable[[], T]) -> T:
        """The result of `read`; a part that has failed in this round is not tried again. Raises `UnknownFact`."""
        import duckdb
        import psutil

        if name in self._errors:
            raise UnknownFact(self._errors[name])
        try:
            return read()
        # LookupError and ValueError: Dagster's rows in an unknown shape.
        except (OSError, WarehouseError, duckdb.Error, psutil.Error, LookupError, ValueError) as error:
            self._errors[name] = f"{name}: {' '.join(str(error).split())[:300]}"
            raise UnknownFact(self._errors[name]) from error

    def _of_pair(self, query: "Callable[[Any, Wallets], T]") -> T | None:
        wallets = self.wallets
        return None if wallets is None else self.read(lambda con: query(con, wallets))
