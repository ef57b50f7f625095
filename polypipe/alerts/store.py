"""What the alerts remember, in one file that is replaced in one step: the state of every condition, the letters that wait
to be sent, what was sent lately. Because it is one file, a firing and the letter that tells of it are remembered together
or not at all: a kill loses none and repeats none."""

import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from polypipe.alerts.state import Entry
from polypipe.errors import PolypipeError
from polypipe.files import locked, replace_file, sweep_leftovers

DIRECTORY = "alerts"


class Letter(msgspec.Struct, kw_only=True):
    """One message for one channel. `claimed`: it was about to be sent; what came of it is not known until it is gone.

    `merged`: how many messages it stands for, 1 unless a queue that grew too long was collapsed into it.
    """

    channel: str
    created_at: datetime
    severity: str
    title: str
    body: str
    claimed: bool = False
    attempts: int = 0
    perhaps_repeated: bool = False
    merged: int = 1


class Backoff(msgspec.Struct, kw_only=True):
    """A channel that failed: how often in a row, why, and when it is tried again."""

    failures: int
    reason: str
    next_try: datetime


class Mute(msgspec.Struct):
    """A condition that the user silenced until an instant."""

    condition: str
    until: datetime


class Book(msgspec.Struct, kw_only=True):
    """Everything remembered. `watching_since`: the first tick; what never was is as old as that. `looked_at`: when both
    wallets' fills were last seen."""

    watching_since: datetime
    entries: list[Entry] = msgspec.field(default_factory=list)
    letters: list[Letter] = msgspec.field(default_factory=list)
    backoff: dict[str, Backoff] = msgspec.field(default_factory=dict)
    attempts: list[datetime] = msgspec.field(default_factory=list)
    digested: str | None = None
    looked_at: datetime | None = None


class Locked(PolypipeError):
    """Another process is at work on the book."""


def book_path(home: Path) -> Path:
    """Where the book lies."""
    return home / DIRECTORY / "state.json"


def read_book(home: Path, now: datetime) -> tuple[Book, str | None]:
    """The book, a new one where there is none; and what was wrong with the file, which then is not used."""
    path = book_path(home)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Book), None
    except FileNotFoundError:
        return Book(watching_since=now), None
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        return Book(watching_since=now), " ".join(str(error).split())[:200]


def save_book(home: Path, book: Book) -> None:
    """Replace the file in one step. Raises `OSError`."""
    replace_file(book_path(home), msgspec.json.encode(book))


def set_aside(home: Path, now: datetime) -> Path:
    """Move a book that cannot be read out of the way; where it lies now."""
    path = book_path(home)
    aside = path.with_name(f"state.bad-{now:%Y%m%dT%H%M%S}.json")
    path.replace(aside)
    return aside


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the lock of the book; the kernel frees it when the holder dies. Raises `Locked` when somebody has it."""
    directory = home / DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        if not locked(lock.fileno()):
            raise Locked("another process is evaluating the alerts")
        sweep_leftovers(book_path(home))
        yield


def _mutes_path(home: Path) -> Path:
    return home / DIRECTORY / "mutes.json"


def read_mutes(home: Path, now: datetime) -> dict[str, datetime]:
    """Condition -> until when it is muted, of the mutes that are in force. A file that cannot be read mutes nothing."""
    try:
        mutes = msgspec.json.decode(_mutes_path(home).read_bytes(), type=list[Mute])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}
    return {mute.condition: mute.until for mute in mutes if mute.until > now}


def write_mutes(home: Path, mutes: dict[str, datetime]) -> None:
    """Replace the mutes. They are a file of their own, because the user sets them while the sensor has the book."""
    replace_file(_mutes_path(home), msgspec.json.encode([Mute(*item) for item in sorted(mutes.items())]))
