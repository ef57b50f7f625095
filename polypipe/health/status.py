"""What `polypipe status` says: the shape of what is known, what of it is degraded and why, and how it is shown.

No input or output here; `ops.gather` fills it in.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from polypipe.text import duration

HEALTHY, DEGRADED, NOT_RUNNING = 0, 3, 4

SILENT_SECONDS = 120
"""Some sensor ticks every 15 s; after this long without any tick the daemon does not work."""

WAITING_SECONDS = 120
"""A batch that waits longer than this in the spool is not merged: somebody holds the database, or nobody writes."""

LEAST_DISK_BYTES = 1_000_000_000

YOUNG_SECONDS = 60
MANY_RESTARTS = 3


@dataclass(frozen=True)
class Process:
    """One supervised program. `state` is running, starting (it waits for the code server), stopped by a signal, or gone.

    `memory_bytes` is its share with its children, null where it cannot be read; `answers` is null where nothing is asked.
    """

    name: str
    state: str
    pid: int | None
    uptime_seconds: float | None
    memory_bytes: int | None
    restarts: int
    answers: bool | None


@dataclass(frozen=True)
class Tick:
    """The last tick of a schedule or sensor; `every_seconds` is null for schedules."""

    name: str
    kind: str
    state: str
    age_seconds: float
    error: str | None
    every_seconds: float | None
    switched_on: bool


@dataclass(frozen=True)
class File:
    """One file of the bot: since when it was last confirmed, its limit, why the newest attempt was refused (or null)."""

    file: str
    age_seconds: float | None
    limit_seconds: float
    entries: int | None
    refused: str | None


@dataclass(frozen=True)
class Rejected:
    """A batch that cannot be merged and lies in `spool/rejected`."""

    batch: str
    reason: str


@dataclass(frozen=True)
class AbandonedRun:
    """A run that counts as running although no process works on it."""

    run_id: str
    job: str
    age_seconds: float | None


@dataclass(frozen=True)
class Status:
    """Everything that `status` knows about one home; a part that cannot be read is empty or null and named in `unknown`.

    `snapshot_age_seconds` is null when none is stored; `snapshot_limit_seconds` null when no wallets are set, so that none
    is expected. `gate` names who holds the warehouse's gate now.
    """

    home: Path
    simulated: bool
    pid: int | None
    uptime_seconds: float | None
    processes: Sequence[Process] = ()
    strays: Sequence[int] = ()
    ticks: Sequence[Tick] = ()
    files: Sequence[File] = ()
    snapshot_age_seconds: float | None = None
    snapshot_limit_seconds: float | None = None
    waiting_batches: int = 0
    waiting_seconds: float | None = None
    rejected: Sequence[Rejected] = ()
    gate: str | None = None
    abandoned: Sequence[AbandonedRun] = ()
    disk_free_bytes: int = 0
    unknown: Sequence[str] = field(default_factory=tuple)


def judge(status: Status) -> list[str]:
    """Everything that is not as it should be, a line each; empty when all is well."""
    if status.pid is None:
        return ["not running", *_stored(status)]
    return [*_processes(status), *_ticks(status), *_stored(status)]


def exit_code(status: Status, reasons: Sequence[str]) -> int:
    """0 healthy, 3 degraded, 4 not running."""
    if status.pid is None:
        return NOT_RUNNING
    return DEGRADED if reasons else HEALTHY


def _processes(status: Status) -> Iterator[str]:
    for process in status.processes:
        if process.state == "starting":
            yield f"{process.name} is starting: it waits for the code server"
        elif process.state != "running":
            yield f"{process.name} does not run: {process.state}"
        elif process.answers is False:
            yield f"{process.name} (pid {process.pid}) does not answer"
        if process.restarts >= MANY_RESTARTS and (process.uptime_seconds or 0) < YOUNG_SECONDS:
            yield f"{process.name} ends again and again: {process.restarts} restarts; see `polypipe logs {process.name}`"
    for pid in status.strays:
        yield f"pid {pid} was left behind by an earlier start: `polypipe restart` ends it"


def _ticks(status: Status) -> Iterator[str]:
    up = status.uptime_seconds or 0
    if up > SILENT_SECONDS:
        newest = min((tick.age_seconds for tick in status.ticks), default=None)
        if newest is None:
            yield "no schedule and no sensor has ever ticked: see `polypipe logs daemon`"
        elif newest > SILENT_SECONDS:
            yield f"no schedule and no sensor has ticked for {duration(newest)}: see `polypipe logs daemon`"
    for tick in status.ticks:
        if not tick.switched_on:
            continue
        late = SILENT_SECONDS + 3 * (tick.every_seconds or 0)
        if tick.state == "failure":
            yield f"the last tick of {tick.name} failed {duration(tick.age_seconds)} ago: {tick.error or 'no reason given'}"
        # Only what has ticked since the start: the tables keep those that an older version had, too.
        elif tick.every_seconds and late < tick.age_seconds < up:
            yield f"{tick.name} last ticked {duration(tick.age_seconds)} ago, not every {duration(tick.every_seconds)}"


def _stored(status: Status) -> Iterator[str]:
    for file in status.files:
        if file.age_seconds is None:
            yield f"{file.file} was never published"
        elif file.age_seconds > file.limit_seconds:
            yield f"{file.file} is {duration(file.age_seconds)} old, allowed are {duration(file.limit_seconds)}"
        if file.refused is not None:
            yield f"{file.file} was refused: {file.refused}"
    if status.snapshot_limit_seconds is not None:
        if status.snapshot_age_seconds is None:
            yield "no divergence snapshot is stored yet"
        elif status.snapshot_age_seconds > status.snapshot_limit_seconds:
            yield f"the newest divergence snapshot is {duration(status.snapshot_age_seconds)} old"
    if status.waiting_seconds is not None and status.waiting_seconds > WAITING_SECONDS:
        holder = f"; the warehouse is held by {status.gate}" if status.gate else ""
        since = duration(status.waiting_seconds)
        yield f"{status.waiting_batches} batches wait in the spool, the oldest for {since}{holder}"
    for batch in status.rejected:
        yield f"batch {batch.batch} cannot be merged and lies in spool/rejected: {batch.reason}"
    for run in status.abandoned:
        yield f"run {run.run_id} of {run.job} counts as running but no process works on it: `polypipe restart` closes it"
    if status.disk_free_bytes < LEAST_DISK_BYTES:
        yield f"only {size(status.disk_free_bytes)} are free on the disk of {status.home}"
    yield from status.unknown


def size(count: float) -> str:
    """`12 MB`, `3.4 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def to_json(status: Status, reasons: Sequence[str]) -> str:
    """One object with everything; `health` is healthy, degraded or not running."""
    health = {HEALTHY: "healthy", DEGRADED: "degraded", NOT_RUNNING: "not running"}[exit_code(status, reasons)]
    return json.dumps({"health": health, "reasons": list(reasons), **asdict(status)}, default=str)


def as_text(status: Status, reasons: Sequence[str]) -> str:
    """For people: what runs, what is stored, and last what is wrong."""
    return "\n".join(_text(status, reasons))


def _text(status: Status, reasons: Sequence[str]) -> Iterator[str]:
    if status.simulated:
        yield "SIMULATED DATA"
    up = f"up for {duration(status.uptime_seconds or 0)}, pid {status.pid}" if status.pid is not None else "not running"
    yield f"{status.home}: {up}"
    if status.processes:
        rows = [("process", "state", "pid", "up", "memory", "restarts")]
        for p in status.processes:
            state = f"{p.state}, silent" if p.answers is False else p.state
            alive = ("", "", "") if p.uptime_seconds is None else (str(p.pid), duration(p.uptime_seconds), _memory(p))
            rows.append((p.name, state, *alive, str(p.restarts)))
        yield from _table(rows)
    if status.ticks:
        rows_of_ticks = [("schedule or sensor", "last tick", "")]
        for t in status.ticks:
            state = t.state if t.switched_on else f"{t.state}, switched off"
            rows_of_ticks.append((t.name, f"{duration(t.age_seconds)} ago", state))
        yield from _table(rows_of_ticks)
    if status.files:
        rows_of_files = [("file", "confirmed", "limit", "entries")]
        for f in status.files:
            age = "never" if f.age_seconds is None else f"{duration(f.age_seconds)} ago"
            rows_of_files.append((f.file, age, duration(f.limit_seconds), "" if f.entries is None else str(f.entries)))
        yield from _table(rows_of_files)
    yield ""
    if status.snapshot_age_seconds is not None:
        yield f"divergence snapshot: {duration(status.snapshot_age_seconds)} ago"
    elif status.snapshot_limit_seconds is None:
        yield "divergence: no wallets are set"
    waiting = f", the oldest for {duration(status.waiting_seconds)}" if status.waiting_seconds is not None else ""
    yield f"batches waiting in the spool: {status.waiting_batches}{waiting}; rejected: {len(status.rejected)}"
    yield f"warehouse: {f'held by {status.gate}' if status.gate else 'free'}; disk: {size(status.disk_free_bytes)} free"
    yield ""
    if not reasons:
        yield "healthy"
    yield from (f"{'' if reason == 'not running' else 'degraded: '}{reason}" for reason in reasons)


def _memory(process: Process) -> str:
    return "" if process.memory_bytes is None else size(process.memory_bytes)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    yield ""
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
