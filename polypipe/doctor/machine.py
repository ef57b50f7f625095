"""Checks of the machine: the servers and their ports, disk, limits, versions, Dagster's home."""

import contextlib
import importlib.metadata
import os
import re
import resource
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from polypipe.doctor.inputs import Facts
from polypipe.doctor.result import Result, error, ok, skipped, unknown, warning
from polypipe.errors import PolypipeError
from polypipe.health.status import read_status
from polypipe.limits import Limits
from polypipe.runtime.ports import PortInUse, check_binding, check_port, share_a_port
from polypipe.runtime.running import Held, running
from polypipe.runtime.unfinished import unfinished
from polypipe.text import duration, size

FULL_BYTES = 2e8
LOW_INODES = 10_000
LEAST_OPEN_FILES = 1024
LOCKED = Path(__file__).parents[2] / "requirements.lock"
NAMED = 5


def check_servers(facts: Facts) -> Result:
    """Whether `polypipe up` runs on this home, and all that `polypipe status` has to say of it."""
    try:
        process = running(facts.settings.home)
    except Held as held:
        return unknown("polypipe up", str(held))
    if process is None:
        advice = "polypipe up --detach; or polypipe refresh from cron, for the files alone"
        return skipped("polypipe up", "does not run on this home", advice)
    status = read_status(facts.settings)
    reasons = status.reasons
    finding = f"up for {duration(status.uptime_seconds or 0)}, pid {process.pid}"
    if reasons:
        return warning(
            "polypipe up", f"{finding}; {reasons[0]}", "polypipe status shows each process and tick", reasons[1:]
        )
    return ok("polypipe up", f"{finding}: every process runs, schedules and sensors tick")


def check_ports(facts: Facts) -> Iterator[Result]:
    """The two ports: free, or held by our own servers."""
    settings = facts.settings
    try:
        check_binding(settings)
    except PolypipeError as refused:
        yield error("dashboard address", str(refused), "see above")
    if share_a_port(settings):
        number = settings.dashboard_port
        yield error("ports", f"both web servers are to listen on {number}", "set POLYPIPE_DASHBOARD_PORT to another port")
    ours = None
    with contextlib.suppress(Held):  # told by another check
        process = running(settings.home)
        ours = process.pid if process else None
    for name, host, port, variable in (
        ("dashboard port", settings.dashboard_host, settings.dashboard_port, "POLYPIPE_DASHBOARD_PORT"),
        ("Dagster UI port", "127.0.0.1", settings.webserver_port, "POLYPIPE_WEBSERVER_PORT"),
    ):
        try:
            check_port(host, port, variable)
            yield judge_port(name, port, variable, True, None, ours)
        except PortInUse:
            yield judge_port(name, port, variable, False, listener(port), ours)
        except PolypipeError as cannot:
            yield error(name, str(cannot), "see above")


def judge_port(name: str, port: int, variable: str, free: bool, holder: psutil.Process | None, ours: int | None) -> Result:
    """Free, or held by our own servers."""
    if free:
        if ours is not None:
            return warning(
                name, f"nothing listens on {port}, although polypipe is up", "it may be starting; else see its log in logs/"
            )
        return ok(name, f"{port} is free")
    if holder is None:
        who = "a process that cannot be named (another user's?)"
        if ours is not None:
            return unknown(name, f"{port} is held by {who}; polypipe is up, so it may be ours")
        return warning(name, f"{port} is held by {who}", f"stop it, or set {variable} to a free port")
    who = process_named(holder.pid)
    if ours is not None and ours in [holder.pid, *_ancestors(holder)]:
        return ok(name, f"{port} is held by our {who}")
    return warning(
        name, f"{port} is held by {who}, which is not of this home", f"stop it, or set {variable} to a free port"
    )


def listener(port: int) -> psutil.Process | None:
    """The process that listens on a TCP port; None when the system does not tell."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return psutil.Process(connection.pid)
    except psutil.Error:  # macOS tells root alone
        return None
    return None


def process_named(pid: int) -> str:
    """`pid 123 (python)`: never the command line, which may hold somebody's secret."""
    try:
        return f"pid {pid} ({psutil.Process(pid).name()})"
    except psutil.Error:
        return f"pid {pid}"


def _ancestors(process: psutil.Process) -> list[int]:
    try:
        return [parent.pid for parent in process.parents()]
    except psutil.Error:
        return []


def check_home(facts: Facts) -> Result:
    """Home and Dagster's directory in it can be written to."""
    home = facts.settings.home
    existing = nearest(home)
    if not existing.is_dir():
        return error("home", f"{existing} is not a directory", "set POLYPIPE_HOME to a directory")
    if not os.access(existing, os.W_OK | os.X_OK):
        return error(
            "home",
            f"{existing} cannot be written to",
            f"give this user (uid {os.getuid()}) the right, or set POLYPIPE_HOME",
        )
    if existing != home:
        return skipped("home", f"{home} does not exist yet: it is made at the first start")
    if cut_off := unfinished(home):
        return error("home", cut_off, "until then nothing may be written: polypipe up does not start")
    layout = facts.warehouse.layout
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
        what = f"{locked[0]} cannot be written to" + (f", nor {len(locked) - 1} others" if locked[1:] else "")
        return error("home", what, f"chown -R {os.getuid()} {home}: was polypipe once started by another user?")
    return ok("home", f"{home} and Dagster's storage in it can be written to")


def check_disk(facts: Facts) -> Iterator[Result]:
    """Room on the disks of the home and of the bot's directory."""
    places = {"disk of the home": facts.settings.home, "disk of the bot": facts.settings.bot_dir}
    seen: set[int] = set()
    for name, path in places.items():
        place = nearest(path)
        device = place.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        usage, nodes = shutil.disk_usage(place), os.statvfs(place)
        yield judge_disk(name, usage.free, usage.total, nodes.f_favail, nodes.f_files)


def judge_disk(name: str, free: float, total: float, inodes: int, all_inodes: int) -> Result:
    """Bytes and inodes; a filesystem that has no inodes says 0 of 0."""
    finding = f"{size(free)} free of {size(total)}"
    advice = "make room, or move POLYPIPE_HOME: with no room left the old files stay and nothing new is stored"
    if free < FULL_BYTES:
        return error(name, finding, advice)
    if all_inodes and inodes < LOW_INODES:
        return warning(name, f"{finding}; only {inodes:,} inodes left of {all_inodes:,}", advice)
    if free < Limits().free_gigabytes * 1e9:
        return warning(name, finding, advice)
    return ok(name, finding)


def check_open_files(facts: Facts) -> Result:
    """The soft limit of open files, which the servers inherit."""
    return judge_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def judge_open_files(soft: int) -> Result:
    """Both web servers together need some hundreds."""
    if soft == resource.RLIM_INFINITY or soft >= LEAST_OPEN_FILES:
        return ok("open files", "no limit" if soft == resource.RLIM_INFINITY else f"limit {soft:,}")
    return warning(
        "open files", f"limit {soft:,}, {LEAST_OPEN_FILES:,} are wanted", f"ulimit -n {LEAST_OPEN_FILES} before polypipe up"
    )


def check_versions(facts: Facts) -> Result:
    """Python and the libraries, as they were tested together."""
    try:
        locked = locked_versions(LOCKED.read_text("utf-8"))
    except OSError:
        return skipped("versions", f"Python {_python()}; requirements.lock is not beside the program to compare with")
    installed = {name: version for name in locked if (version := installed_version(name)) is not None}
    return judge_versions(locked, installed)


def judge_versions(locked: Mapping[str, set[str]], installed: Mapping[str, str]) -> Result:
    """Only what is installed is compared: the lock also has what development needs."""
    others = [
        f"{name} {version} instead of {' or '.join(sorted(locked[name]))}"
        for name, version in installed.items()
        if version not in locked[name]
    ]
    finding = f"Python {_python()}, {len(installed)} libraries"
    if not others:
        return ok("versions", f"{finding} as locked")
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    named = ", ".join(others[:NAMED])
    return warning("versions", f"{finding}, not as locked: {named}{more}", "make env installs the tested versions")


def locked_versions(text: str) -> dict[str, set[str]]:
    """Name -> versions from a requirements file; there are several where they depend on Python's version."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.MULTILINE):
        found[name].add(version)
    return found


def installed_version(name: str) -> str | None:
    """The version of an installed library, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def nearest(path: Path) -> Path:
    """The path itself, or the nearest parent that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))
