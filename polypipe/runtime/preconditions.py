"""What must hold before the servers start: a home that can be written, free ports, no mixture of demo and real data."""

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
    """Make what the servers need. Raises `PolypipeError`."""
    home = settings.home
    for directory in (home, home / "run", home / "logs", settings.bot_dir):
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PolypipeError(f"{directory} cannot be made: {error.strerror}") from None


@contextlib.contextmanager
def writing(home: Path) -> Iterator[None]:
    """Raise `PolypipeError` with one line for what cannot be written: a full or read-only disk, a file of another user."""
    try:
        yield
    except OSError as error:
        raise PolypipeError(f"{error.filename or home} cannot be written: {error.strerror}") from None


def refuse_mixture(settings: Settings) -> None:
    """Keep the home of the demo a demo: simulated and real rows in one table could not be told apart.

    Raises `PolypipeError`, before anything is made or stopped.
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
