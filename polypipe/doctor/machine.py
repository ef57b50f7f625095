"""Checks of the machine: servers, home, disk, open files."""

import os
import resource
from collections.abc import Iterator

from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, error, ok, skipped, unknown, warning
from polypipe.files import nearest
from polypipe.health.finding import Finding
from polypipe.health.registry import BY_NAME
from polypipe.health.status import read_status
from polypipe.runtime.running import Held, running
from polypipe.runtime.unfinished import unfinished
from polypipe.text import duration

LOW_INODES = 10_000
LEAST_OPEN_FILES = 1024


def check_servers(inputs: Inputs) -> Result:
    """`polypipe up` runs on this home, and `polypipe status` has no complaint."""
    try:
        process = running(inputs.settings.home)
    except Held as held:
        return unknown("polypipe up", str(held))
    if process is None:
        advice = "polypipe up --detach; or polypipe refresh from cron, for the files alone"
        return skipped("polypipe up", "does not run on this home", advice)
    status = read_status(inputs.settings)
    reasons = status.reasons
    finding = f"up for {duration(status.uptime_seconds or 0)}, pid {process.pid}"
    if reasons:
        return warning(
            "polypipe up", f"{finding}; {reasons[0]}", "polypipe status shows each process and tick", reasons[1:]
        )
    return ok("polypipe up", f"{finding}: every process runs, schedules and sensors tick")


def check_home(inputs: Inputs) -> Result:
    """The home and Dagster's directory in it are writable."""
    home = inputs.settings.home
    existing = nearest(home)
    if not existing.is_dir():
        return error("home", f"{existing} is not a directory", "set POLYPIPE_HOME to a directory")
    if not os.access(existing, os.W_OK | os.X_OK):
        return error(
            "home",
            f"{existing} is not writable",
            f"make it writable for uid {os.getuid()}, or set POLYPIPE_HOME",
        )
    if existing != home:
        return skipped("home", f"{home} does not exist yet; the first start creates it")
    if cut_off := unfinished(home):
        return error("home", cut_off, "polypipe up does not start until then")
    layout = inputs.warehouse.layout
    own = [
        home / "dagster",
        home / "logs",
        home / "run",
        layout.spool,
        layout.published,
        layout.database,
        layout.lock,
        layout.pointer,
    ]
    storage = sorted((home / "dagster").glob("**/*.db")) if (home / "dagster").is_dir() else []
    locked = [path for path in [*own, *storage] if path.exists() and not os.access(path, os.W_OK)]
    if locked:
        what = f"{locked[0]} is not writable" + (f", nor are {len(locked) - 1} others" if locked[1:] else "")
        return error("home", what, f"chown -R {os.getuid()} {home}: was polypipe once started by another user?")
    return ok("home", f"{home} and Dagster's storage in it are writable")


def check_disk(inputs: Inputs) -> Iterator[Result]:
    """Free space and inodes on the disks of the home and of the bot's directory. Free space is a finding of `health`."""
    places = {
        "POLYPIPE_HOME": ("disk of the home", inputs.settings.home),
        "POLYPIPE_BOT_DIR": ("disk of the bot", inputs.settings.bot_dir),
    }
    for finding in BY_NAME["disk_low"].run(inputs.health):
        name, path = places[finding.key.split(" and ")[0]]
        nodes = os.statvfs(nearest(path))
        yield judge_disk(name, finding, nodes.f_favail, nodes.f_files)


def judge_disk(name: str, space: Finding, inodes: int, all_inodes: int) -> Result:
    """Free space and inodes; a filesystem without inodes reports 0 of 0."""
    advice = "free space, or move POLYPIPE_HOME: on a full disk the old files stay and nothing new is stored"
    if space.state == "failing":
        return warning(name, space.text, advice)
    if all_inodes and inodes < LOW_INODES:
        return warning(name, f"{space.text}; only {inodes:,} inodes left of {all_inodes:,}", advice)
    return ok(name, space.text)


def check_open_files(inputs: Inputs) -> Result:
    """The soft limit on open files, which the servers inherit."""
    return judge_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def judge_open_files(soft: int) -> Result:
    """Both web servers together need a few hundred."""
    if soft == resource.RLIM_INFINITY or soft >= LEAST_OPEN_FILES:
        return ok("open files", "no limit" if soft == resource.RLIM_INFINITY else f"limit {soft:,}")
    return warning(
        "open files", f"limit {soft:,}, below {LEAST_OPEN_FILES:,}", f"ulimit -n {LEAST_OPEN_FILES} before polypipe up"
    )
