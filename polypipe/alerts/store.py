"""The stored state of the alerts, in one file that is replaced in one step: alerts, pending deliveries, recent sends.

One file, so that an alert and the delivery that announces it are stored together or not at all: a kill neither loses nor
repeats one. Names in the file are those of its first version.
"""

import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from polypipe.alerts.state import Alert
from polypipe.errors import PolypipeError
from polypipe.files import locked, replace_file, sweep_leftovers

DIRECTORY = "alerts"


class Delivery(msgspec.Struct, kw_only=True):
    """One message for one channel. `claimed`: about to be sent; the outcome is unknown until the delivery is gone.

    `merged`: how many messages it stands for, 1 unless the queue grew too long and was collapsed into it.
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
    """A failing channel: failures in a row, the last reason, the time of the next try."""

    failures: int
    reason: str
    next_try: datetime


class Mute(msgspec.Struct):
    """A rule that the user muted until an instant."""

    rule: str = msgspec.field(name="condition")
    until: datetime


class AlertState(msgspec.Struct, kw_only=True):
    """The state file. `watching_since`: the first tick; a thing that never was is as old as that. `fills_at`: when both
    wallets' newest fills were last read. `attempts`: times of the sends of the last minute."""

    watching_since: datetime
    alerts: list[Alert] = msgspec.field(name="entries", default_factory=list)
    deliveries: list[Delivery] = msgspec.field(name="letters", default_factory=list)
    backoff: dict[str, Backoff] = msgspec.field(default_factory=dict)
    attempts: list[datetime] = msgspec.field(default_factory=list)
    digested: str | None = None
    fills_at: datetime | None = msgspec.field(name="looked_at", default=None)


class Locked(PolypipeError):
    """Another process holds the lock of the state."""


def state_path(home: Path) -> Path:
    """The path of the state file."""
    return home / DIRECTORY / "state.json"


def read_state(home: Path, now: datetime) -> tuple[AlertState, str | None]:
    """The state, empty without a file; and why the file cannot be read, or None. A file that cannot be read is not used."""
    path = state_path(home)
    try:
        return msgspec.json.decode(path.read_bytes(), type=AlertState), None
    except FileNotFoundError:
        return AlertState(watching_since=now), None
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        return AlertState(watching_since=now), " ".join(str(error).split())[:200]


def save_state(home: Path, state: AlertState) -> None:
    """Replace the file in one step. Raises `OSError`."""
    replace_file(state_path(home), msgspec.json.encode(state))


def set_aside(home: Path, now: datetime) -> Path:
    """Move a state file that cannot be read out of the way. Returns its new path."""
    path = state_path(home)
    aside = path.with_name(f"state.bad-{now:%Y%m%dT%H%M%S}.json")
    path.replace(aside)
    return aside


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the lock of the state. The kernel frees it when the holder dies. Raises `Locked` if another process has it."""
    directory = home / DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        if not locked(lock.fileno(), path=lock.name):
            raise Locked("another process is evaluating the alerts")
        sweep_leftovers(state_path(home))
        yield


def _mutes_path(home: Path) -> Path:
    return home / DIRECTORY / "mutes.json"


def read_mutes(home: Path, now: datetime) -> dict[str, datetime]:
    """Rule -> end of its mute, for the mutes in force. A file that cannot be read mutes nothing."""
    try:
        mutes = msgspec.json.decode(_mutes_path(home).read_bytes(), type=list[Mute])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}
    return {mute.rule: mute.until for mute in mutes if mute.until > now}


def write_mutes(home: Path, mutes: dict[str, datetime]) -> None:
    """Replace the mutes. They have a file of their own, because the user sets them while the sensor holds the state."""
    replace_file(_mutes_path(home), msgspec.json.encode([Mute(*item) for item in sorted(mutes.items())]))
