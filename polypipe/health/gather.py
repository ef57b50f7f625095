"""Where `polypipe status` looks: processes, Dagster's tables, the warehouse, the disk. Reads only, and needs no server.

Each part stands alone: one that cannot be read is named in `Status.unknown`, the others are there all the same.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import psutil

from polypipe.caches.registry import CACHES
from polypipe.health.status import AbandonedRun, File, Process, Rejected, Status, Tick
from polypipe.runtime import dagster_tables
from polypipe.runtime.instance import OWNER_PID_TAG
from polypipe.runtime.running import Held, leftovers, running, works_by_hand
from polypipe.runtime.servers import answers, running_servers
from polypipe.runtime.states import program_states
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse, WarehouseError, spool
from polypipe.warehouse.gate import holder_of

T = TypeVar("T")

ANSWER_SECONDS = 3.0
LEAST_SNAPSHOT_LIMIT = 180
"""Seconds; else three snapshots: the same as on the page."""

MAX_RUNTIME = 3600.0
"""Seconds after which Dagster itself ends a run that has no limit of its own (`runtime/instance.py`)."""

RUN_GRACE_SECONDS = 180.0


def gather(settings: Settings) -> Status:
    """Everything that `status` shows, as of now."""
    home = settings.home
    found: dict[str, Any] = {}
    unknown: list[str] = []
    process = None
    try:
        process = running(home)
    except Held as held:
        unknown.append(str(held))
    if process is not None:
        found |= _part(unknown, "processes", lambda: _processes(settings, process))
    found |= _part(unknown, "ticks and runs", lambda: _dagster(settings, process is not None))
    found |= _part(unknown, "published tables", lambda: _published(settings))
    found |= _part(unknown, "spool", lambda: _spool(settings))
    nearest = next(folder for folder in (home, *home.parents) if os.path.exists(folder))  # noqa: PTH110 -- never raises
    return Status(
        home=home,
        simulated=settings.simulated,
        pid=process.pid if process else None,
        uptime_seconds=time.time() - process.create_time() if process else None,
        disk_free_bytes=shutil.disk_usage(nearest).free,
        unknown=unknown,
        **found,
    )


def _part(unknown: list[str], name: str, look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    import duckdb

    try:
        return look()
    # LookupError and ValueError: Dagster's rows in a shape that we do not know.
    except (OSError, WarehouseError, duckdb.Error, psutil.Error, LookupError, ValueError) as error:
        unknown.append(f"{name}: {' '.join(str(error).split())[:300]}")
        return {}


def _processes(settings: Settings, up: psutil.Process) -> dict[str, Any]:
    with ThreadPoolExecutor(4) as pool:
        urls = {name: url for name, (_, url) in running_servers(settings).items()}
        asked = {name: pool.submit(answers, url, ANSWER_SECONDS) for name, url in urls.items()}
        found = []
        for program in program_states(settings.home):
            answer = asked[program.name].result() if program.name in asked else None
            found.append(Process(**asdict(program), answers=answer))
    family = {up.pid, *(child.pid for child in up.children(recursive=True))}
    # Runs go on when their code server is killed, and are nobody's children then: not strays while it is the same start.
    strays = [p.pid for p in leftovers(settings.home) if p.pid not in family and p.create_time() < up.create_time()]
    return {"processes": found, "strays": strays}


def _dagster(settings: Settings, is_up: bool) -> dict[str, Any]:
    now = time.time()
    if settings.postgres_url is None and not (settings.home / "dagster" / "history" / "runs.db").exists():
        return {}
    with dagster_tables.tables(settings.home, settings.postgres_url) as (tick_tables, run_tables):
        ticks = [
            Tick(t.name, t.kind, t.state, now - t.time, t.error, t.every_seconds, t.switched_on)
            for t in dagster_tables.last_ticks(tick_tables)
        ]
        runs = dagster_tables.unfinished_runs(run_tables)
    abandoned = [
        AbandonedRun(run.run_id, run.job, None if run.started is None else now - run.started)
        for run in runs
        if _is_abandoned(run, settings.home, is_up, now)
    ]
    return {"ticks": ticks, "abandoned": abandoned}


def _is_abandoned(run: dagster_tables.Run, home: Path, is_up: bool, now: float) -> bool:
    """Dagster ends a run at its limit; one that is still there some minutes later has nobody who could."""
    if owner := run.tags.get(OWNER_PID_TAG):
        return not works_by_hand(home, int(owner))
    limit = float(run.tags.get("dagster/max_runtime", MAX_RUNTIME)) + RUN_GRACE_SECONDS
    return not is_up or (run.started is not None and now - run.started > limit)


def _published(settings: Settings) -> dict[str, Any]:
    warehouse = Warehouse(settings.home)
    attempts: dict[str, tuple[datetime | None, int | None, str | None]] = {}
    newest = None
    if warehouse.layout.pointer.exists() or spool.waiting_batches(warehouse.layout):
        with warehouse.read() as con:
            rows = con.execute(
                "SELECT file, max(time) FILTER (accepted), arg_max(entries, time) FILTER (accepted), "
                "arg_max(CASE WHEN accepted THEN '' ELSE reason END, time) FROM publications GROUP BY file"
            ).fetchall()
            attempts = {file: (time_, entries, reason or None) for file, time_, entries, reason in rows}
            ((newest,),) = con.execute("SELECT max(timestamp) FROM snapshots").fetchall()
    now = datetime.now(UTC)
    files = []
    for spec in CACHES:
        accepted, entries, reason = attempts.get(spec.file, (None, None, None))
        files.append(File(spec.file, _age(now, accepted), spec.fresh_within.total_seconds(), entries, reason))
    wallets = settings.copier_address is not None and settings.whale_address is not None
    limit = max(LEAST_SNAPSHOT_LIMIT, 3 * settings.snapshot_seconds) if wallets else None
    return {"files": files, "snapshot_age_seconds": _age(now, newest), "snapshot_limit_seconds": limit}


def _age(now: datetime, then: datetime | None) -> float | None:
    return None if then is None else (now - then).total_seconds()


def _spool(settings: Settings) -> dict[str, Any]:
    layout = Warehouse(settings.home).layout
    waiting = spool.waiting_batches(layout)
    ages = []
    for batch in waiting:
        with contextlib.suppress(FileNotFoundError):  # merged meanwhile
            ages.append(time.time() - (layout.spool / batch).stat().st_mtime)
    names = sorted(entry.name for entry in layout.rejected.iterdir()) if layout.rejected.is_dir() else []
    return {
        "waiting_batches": len(ages),
        "waiting_seconds": max(ages, default=None),
        "rejected": [Rejected(name, spool.rejection(layout, name) or "no reason given") for name in names],
        "gate": holder_of(layout.lock),
    }
