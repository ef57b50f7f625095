"""Preconditions of a start: a writable home, free ports, no mixture of simulated and real data."""

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from polypipe.errors import PolypipeError
from polypipe.runtime.ports import check_binding, check_ports
from polypipe.runtime.running import running
from polypipe.runtime.servers import running_servers
from polypipe.setting_sources import DEMO
from polypipe.settings import Settings


def make_directories(settings: Settings) -> None:
    """Create the directories that the servers need. Raises `PolypipeError`."""
    home = settings.home
    for directory in (home, home / "run", home / "logs", settings.bot_dir):
        try:
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
    ours = running_servers(settings).values() if running(settings.home) else ()
    check_addresses(settings, [urlsplit(page).port or 0 for page, _ in ours])


def check_addresses(settings: Settings, ours: Collection[int] = ()) -> None:
    """Raise `PolypipeError` unless both web servers may and can listen, `ours` being ports that a stop will release."""
    check_binding(settings)
    check_ports(settings, ours)
