"""Probes of `polypipe up`: its programs, the daemon's ticks, processes and runs that were left behind."""

from collections.abc import Iterator

from polypipe.health.facts import Facts
from polypipe.health.finding import Finding, Probe, judged
from polypipe.limits import DAEMON_SILENT
from polypipe.text import duration, plain

CRASH_LOOP_RESTARTS = 3
CRASH_LOOP_SECONDS = 60.0
"""A program that was restarted this often and is younger than this is in a crash loop."""


def program_down(facts: Facts) -> Iterator[Finding]:
    """Programs that do not run or do not answer."""
    for program in facts.servers.programs:
        if program.state == "starting":
            text = f"{program.name} is starting: it waits for the code server"
        elif program.state != "running":
            text = f"{program.name} is not running: {program.state}"
        elif program.answers is False:
            text = f"{program.name} (pid {program.pid}) does not answer"
        else:
            yield judged(False, program.name, f"{program.name} is running")
            continue
        yield judged(True, program.name, text)


def crash_loop(facts: Facts) -> Iterator[Finding]:
    """Programs that are restarted again and again."""
    for program in facts.servers.programs:
        young = (program.uptime_seconds or 0) < CRASH_LOOP_SECONDS
        text = f"{program.name} keeps ending: {program.restarts} restarts; see `polypipe logs {program.name}`"
        failing = program.restarts >= CRASH_LOOP_RESTARTS and young
        yield judged(failing, program.name, text, program.restarts, CRASH_LOOP_RESTARTS)


def stray_process(facts: Facts) -> Iterator[Finding]:
    """Processes that an earlier start left behind."""
    for pid in facts.servers.strays:
        yield Finding(str(pid), "failing", f"pid {pid} is left over from an earlier start: `polypipe restart` ends it")


def daemon_silent(facts: Facts) -> Iterator[Finding]:
    """The daemon's newest tick, while `polypipe up` runs for longer than the limit."""
    limit, uptime = DAEMON_SILENT.total_seconds(), facts.servers.uptime_seconds or 0.0
    if uptime <= limit:
        return
    newest = min((tick.age_seconds for tick in facts.ticks_and_runs.ticks), default=None)
    if newest is None:
        yield judged(True, "", "no schedule or sensor has ever ticked: see `polypipe logs daemon`", None, limit)
        return
    text = f"no schedule or sensor has ticked for {duration(newest)}; limit {duration(limit)}: see `polypipe logs daemon`"
    yield judged(newest > limit, "", text, newest, limit)


def tick_late(facts: Facts) -> Iterator[Finding]:
    """Schedules and sensors that are on and whose last tick failed or is late."""
    uptime = facts.servers.uptime_seconds
    if uptime is None:
        return
    for tick in facts.ticks_and_runs.ticks:
        if not tick.switched_on:
            continue
        limit = DAEMON_SILENT.total_seconds() + 3 * (tick.every_seconds or 0)
        ago = f"{duration(tick.age_seconds)} ago"
        if tick.state == "failure":
            text = f"the last tick of {tick.name} failed {ago}: {plain(tick.error or 'no reason given', 300)}"
            yield judged(True, tick.name, text)
        elif tick.every_seconds:
            # Ticks from before this start do not count: the storage keeps those of sensors that an older version had.
            late = limit < tick.age_seconds < uptime
            text = f"{tick.name} last ticked {ago}; it should every {duration(tick.every_seconds)}"
            yield judged(late, tick.name, text, tick.age_seconds, limit)


def run_abandoned(facts: Facts) -> Iterator[Finding]:
    """Runs that Dagster counts as running although no process works on them."""
    for run in facts.ticks_and_runs.abandoned:
        text = f"run {run.run_id} of {run.job} counts as running, but no process works on it: `polypipe restart` closes it"
        yield Finding(run.run_id, "failing", text)


PROCESSES = (
    Probe("program_down", "processes", "critical", program_down),
    Probe("crash_loop", "processes", "critical", crash_loop),
    Probe("stray_process", "processes", "warning", stray_process),
    Probe("daemon_silent", "processes", "critical", daemon_silent),
    Probe("tick_late", "processes", "warning", tick_late),
    Probe("run_abandoned", "processes", "warning", run_abandoned),
)
