"""Reads the processes of `polypipe up`, and Dagster's ticks and runs; needs no running server and no import of dagster."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import psutil

from polypipe.health.records import AbandonedRun, LastTick, ProgramHealth, Servers, TicksAndRuns
from polypipe.runtime import dagster_tables
from polypipe.runtime.instance import OWNER_PID_TAG
from polypipe.runtime.running import leftovers, works_by_hand
from polypipe.runtime.servers import answers, running_servers
from polypipe.runtime.states import program_states
from polypipe.settings import Settings

ANSWER_SECONDS = 3.0

MAX_RUNTIME = 3600.0
"""Seconds after which Dagster itself ends a run that has no limit of its own (`runtime/instance.py`)."""

RUN_GRACE_SECONDS = 180.0


def read_servers(settings: Settings, up: psutil.Process | None) -> Servers:
    """The programs below `up`, the process that holds the lock of this home."""
    if up is None:
        return Servers()
    started = up.create_time()
    family = {up.pid, *(child.pid for child in up.children(recursive=True))}
    # Runs survive a killed code server and are then nobody's children: no strays while it is the same start.
    strays = [p.pid for p in leftovers(settings.home) if p.pid not in family and p.create_time() < started]
    return Servers(up.pid, time.time() - started, read_programs(settings), strays)


def read_programs(settings: Settings) -> list[ProgramHealth]:
    """The supervised programs; each server is asked for an answer."""
    with ThreadPoolExecutor(4) as pool:
        urls = {name: url for name, (_, url) in running_servers(settings).items()}
        asked = {name: pool.submit(answers, url, ANSWER_SECONDS) for name, url in urls.items()}
        return [
            ProgramHealth(**asdict(program), answers=asked[program.name].result() if program.name in asked else None)
            for program in program_states(settings.home)
        ]


def read_ticks_and_runs(settings: Settings, is_up: bool) -> TicksAndRuns:
    """From Dagster's storage; empty before the first start. Raises `OSError` where it cannot be read."""
    now = time.time()
    if settings.postgres_url is None and not is_up and not (settings.home / "dagster" / "history" / "runs.db").exists():
        return TicksAndRuns()
    with dagster_tables.tables(settings.home, settings.postgres_url) as (tick_tables, run_tables):
        ticks = [
            LastTick(t.name, t.kind, t.state, now - t.time, t.error, t.every_seconds, t.switched_on)
            for t in dagster_tables.last_ticks(tick_tables)
        ]
        runs = dagster_tables.unfinished_runs(run_tables)
    abandoned = [
        AbandonedRun(run.run_id, run.job, None if run.started is None else now - run.started)
        for run in runs
        if _is_abandoned(run, settings.home, is_up, now)
    ]
    return TicksAndRuns(ticks, abandoned)


def _is_abandoned(run: dagster_tables.Run, home: Path, is_up: bool, now: float) -> bool:
    """Dagster ends a run at its limit; a run still there minutes later has no process that could end it."""
    if owner := run.tags.get(OWNER_PID_TAG):
        return not works_by_hand(home, int(owner))
    limit = float(run.tags.get("dagster/max_runtime", MAX_RUNTIME)) + RUN_GRACE_SECONDS
    return not is_up or (run.started is not None and now - run.started > limit)
