"""The state of one home for `polypipe status`: the registry's findings, and the facts behind them."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from polypipe.files import nearest
from polypipe.health.facts import Facts, UnknownFact
from polypipe.health.finding import EVERY_KEY
from polypipe.health.records import (
    AbandonedRun,
    FileState,
    LastTick,
    ProgramHealth,
    RejectedBatch,
    Servers,
    SpoolState,
    TicksAndRuns,
)
from polypipe.health.registry import STATUS, failing, findings, notices, of_subjects
from polypipe.settings import Settings

T = TypeVar("T")


HEALTHY, DEGRADED, NOT_RUNNING = 0, 3, 4


@dataclass(frozen=True)
class FileRow:
    """One file of the bot: seconds since it was confirmed (None: never), its limit, why the newest attempt was refused."""

    file: str
    age_seconds: float | None
    limit_seconds: float
    entries: int | None
    refused: str | None


@dataclass(frozen=True)
class Status:
    """Everything that `status` shows of one home; a part that cannot be read is empty or None and named in `unknown`.

    `snapshot_age_seconds` is None when none is stored; `snapshot_limit_seconds` is None when no wallets are set, so that
    none is expected. `gate` names who holds the warehouse now. `reasons` are the sentences of what is not healthy.
    `traces`: how far the whale's history is traced; None if it is traced. `notices`: sentences that degrade nothing.
    """

    home: Path
    simulated: bool
    pid: int | None
    uptime_seconds: float | None
    processes: Sequence[ProgramHealth] = ()
    strays: Sequence[int] = ()
    ticks: Sequence[LastTick] = ()
    files: Sequence[FileRow] = ()
    snapshot_age_seconds: float | None = None
    snapshot_limit_seconds: float | None = None
    waiting_batches: int = 0
    waiting_seconds: float | None = None
    rejected: Sequence[RejectedBatch] = ()
    gate: str | None = None
    abandoned: Sequence[AbandonedRun] = ()
    disk_free_bytes: int = 0
    unknown: Sequence[str] = ()
    reasons: Sequence[str] = ()
    traces: str | None = None
    notices: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        """0 healthy, 3 degraded, 4 not running."""
        if self.pid is None:
            return NOT_RUNNING
        return DEGRADED if self.reasons else HEALTHY


def read_status(settings: Settings) -> Status:
    """The status now. Reads only, and needs no running server."""
    with Facts(settings) as facts:
        return status_of(facts)


def status_of(facts: Facts) -> Status:
    """The status from these facts."""
    found = list(findings(of_subjects(*STATUS), facts))
    unknown = [finding.text for finding in found if finding.state == "unknown" and finding.key == EVERY_KEY]
    up = _known(lambda: facts.servers, Servers())
    if up.pid is None and (process := _known(lambda: facts.up, None)) is not None:
        up = Servers(process.pid, facts.now.timestamp() - process.create_time())
    dagster = _known(lambda: facts.ticks_and_runs, TicksAndRuns())
    spool = _known(lambda: facts.spool, SpoolState())
    snapshot = _known(lambda: facts.snapshot, None)
    positions = _known(lambda: facts.positions, None)
    nothing: Sequence[FileState] = ()
    home = facts.settings.home
    return Status(
        home=home,
        simulated=facts.settings.simulated,
        pid=up.pid,
        uptime_seconds=up.uptime_seconds,
        processes=up.programs,
        strays=up.strays,
        ticks=dagster.ticks,
        files=[
            FileRow(f.name, _age(facts.now, f.accepted_at), f.fresh_within.total_seconds(), f.entries, f.refused)
            for f in _known(lambda: facts.files, nothing)
        ],
        snapshot_age_seconds=_age(facts.now, snapshot.time if snapshot else None),
        snapshot_limit_seconds=facts.limits.snapshot.total_seconds() if facts.wallets is not None else None,
        waiting_batches=len(spool.waiting_seconds),
        waiting_seconds=max(spool.waiting_seconds, default=None),
        rejected=spool.rejected,
        gate=spool.gate,
        abandoned=dagster.abandoned,
        disk_free_bytes=shutil.disk_usage(nearest(home)).free,
        unknown=unknown,
        reasons=[*(["not running"] if up.pid is None else []), *failing(found), *unknown],
        traces=positions.notes.get("traces") if positions else None,
        notices=notices(found),
    )


def _known(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except UnknownFact:
        return otherwise


def _age(now: datetime, then: datetime | None) -> float | None:
    return None if then is None else (now - then).total_seconds()
