"""Preconditions of a start: a writable home, free ports, no mixture of simulated and real data."""

import contextlib
import resource
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from polypipe.errors import PolypipeError
from polypipe.files import make_reachable
from polypipe.runtime.ports import check_binding, check_ports
from polypipe.runtime.postgres import check_postgres
from polypipe.runtime.running import LOCK, running
from polypipe.runtime.servers import running_servers
from polypipe.runtime.unfinished import unfinished
from polypipe.setting_sources import DEMO
from polypipe.settings import Settings
from polypipe.warehouse.current import read_current
from polypipe.warehouse.errors import WarehouseError, newer_schema
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import latest

LEAST_OPEN_FILES = 256
"""A start with a lower limit is refused. Usual limits are 1,024 and, on macOS, 256."""


def check_start(settings: Settings) -> None:
    """Raise `PolypipeError` if the start would be refused, before anything is created in the home.

    On a home that was never started nothing of ours can hold the ports. On others `up` itself checks them, after it has
    ended what an earlier start left behind.
    """
    refuse_mixture(settings)
    if process := running(settings.home):
        raise PolypipeError(f"polypipe is already up on {settings.home}: pid {process.pid}")
    if interrupted := unfinished(settings.home):
        raise PolypipeError(interrupted)
    check_schema(settings.home)
    check_machine(settings)
    if not (settings.home / LOCK).exists():
        check_addresses(settings)


def check_schema(home: Path) -> None:
    """Raise `PolypipeError` if a newer polypipe has published the tables of this home: no writer could store anything."""
    try:
        current = read_current(Layout(home))
    except (WarehouseError, OSError):  # the next writer repairs an unreadable pointer
        return
    if current is not None and current.schema > latest():
        raise newer_schema(f"the home {home}", current.schema, latest())


def check_machine(settings: Settings) -> None:
    """Raise `PolypipeError` unless enough open files are allowed and Dagster's storage in Postgres, if set, answers."""
    ensure_open_files()
    if settings.postgres_url is not None:
        check_postgres(settings.postgres_url)


def ensure_open_files() -> None:
    """Raise this process's limit of open files where it is too low for a server. Raises `PolypipeError` if it may not.

    Servers without enough of them end again and again, and only their logs say why.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < LEAST_OPEN_FILES:
        raise PolypipeError(
            f"the limit of open files is {hard}, and the servers need {LEAST_OPEN_FILES}",
            "raise the hard limit: LimitNOFILE= in systemd, ulimits in Compose, `ulimit -Hn` in a shell",
        )
    if soft != resource.RLIM_INFINITY and soft < LEAST_OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (LEAST_OPEN_FILES, hard))


def make_directories(settings: Settings) -> None:
    """Create the directories that the servers need. Raises `PolypipeError`."""
    home, directory = settings.home, settings.bot_dir
    try:
        make_reachable(directory)  # first, because the home is one of its parents by default
        for directory in (home, home / "run", home / "logs"):
            directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PolypipeError(f"{directory} cannot be created: {error.strerror}") from None


@contextlib.contextmanager
def writing(home: Path) -> Iterator[None]:
    """Turn an `OSError` (a full or read-only disk, a file of another user) into a `PolypipeError` of one line."""
    try:
        yield
    except OSError as error:
        raise PolypipeError(f"{error.filename or home} cannot be written: {error.strerror}") from None


def refuse_mixture(settings: Settings) -> None:
    """Raise `PolypipeError` on the home of a demo: simulated and real rows in one table are indistinguishable.

    Call this before anything is created or stopped.
    """
    if settings.sources["simulated"] == DEMO:
        raise PolypipeError(f"{settings.home} holds the demo's simulated data: run `polypipe demo`, or choose another home")


def check_restart(settings: Settings) -> None:
    """Raise `PolypipeError` if the start would be refused after the stop, so that nothing is stopped."""
    refuse_mixture(settings)
    check_machine(settings)
    ours = running_servers(settings).values() if running(settings.home) else ()
    check_addresses(settings, [urlsplit(page).port or 0 for page, _ in ours])


def check_addresses(settings: Settings, ours: Collection[int] = ()) -> None:
    """Raise `PolypipeError` unless both web servers may and can listen, `ours` being ports that a stop will release."""
    check_binding(settings)
    check_ports(settings, ours)
