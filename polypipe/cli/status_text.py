"""`polypipe status` as text and as JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from polypipe.health.records import ProgramHealth
from polypipe.health.status import DEGRADED, HEALTHY, NOT_RUNNING, Status
from polypipe.text import duration, size


def to_json(status: Status) -> str:
    """One object with everything; `health` is healthy, degraded or not running."""
    health = {HEALTHY: "healthy", DEGRADED: "degraded", NOT_RUNNING: "not running"}[status.exit_code]
    return json.dumps({"health": health, "reasons": list(status.reasons), **asdict(status)}, default=str)


def as_text(status: Status) -> str:
    """For people: the programs, what is stored, and last the reasons why it is not healthy."""
    return "\n".join(_lines(status))


def _lines(status: Status) -> Iterator[str]:
    if status.simulated:
        yield "SIMULATED DATA"
    up = f"up for {duration(status.uptime_seconds or 0)}, pid {status.pid}" if status.pid is not None else "not running"
    yield f"{status.home}: {up}"
    if status.processes:
        rows = [("process", "state", "pid", "up", "memory", "restarts")]
        for program in status.processes:
            state = f"{program.state}, silent" if program.answers is False else program.state
            alive = ("", "", "")
            if program.uptime_seconds is not None:
                alive = (str(program.pid), duration(program.uptime_seconds), _memory(program))
            rows.append((program.name, state, *alive, str(program.restarts)))
        yield from _table(rows)
    if status.ticks:
        ticks = [("schedule or sensor", "last tick", "")]
        for tick in status.ticks:
            state = tick.state if tick.switched_on else f"{tick.state}, switched off"
            ticks.append((tick.name, f"{duration(tick.age_seconds)} ago", state))
        yield from _table(ticks)
    if status.files:
        files = [("file", "confirmed", "limit", "entries")]
        for file in status.files:
            age = "never" if file.age_seconds is None else f"{duration(file.age_seconds)} ago"
            files.append((file.file, age, duration(file.limit_seconds), "" if file.entries is None else str(file.entries)))
        yield from _table(files)
    yield ""
    if status.snapshot_age_seconds is not None:
        yield f"newest snapshot: {duration(status.snapshot_age_seconds)} ago"
    elif status.snapshot_limit_seconds is None:
        yield "snapshots: no wallets are set"
    if status.traces is not None:
        yield f"positions: {status.traces}"
    waiting = f", the oldest for {duration(status.waiting_seconds)}" if status.waiting_seconds is not None else ""
    yield f"batches waiting in the spool: {status.waiting_batches}{waiting}; rejected: {len(status.rejected)}"
    yield f"warehouse: {f'held by {status.gate}' if status.gate else 'free'}; disk: {size(status.disk_free_bytes)} free"
    yield ""
    yield from (f"notice: {notice}" for notice in status.notices)
    if not status.reasons:
        yield "healthy"
    yield from (f"{'' if reason == 'not running' else 'degraded: '}{reason}" for reason in status.reasons)


def _memory(program: ProgramHealth) -> str:
    return "" if program.memory_bytes is None else size(program.memory_bytes)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    yield ""
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
