"""`polypipe logs`: the last lines of the logs, then new ones. The supervisor rotates the files.

Reads the files instead of asking the supervisor, because logs matter most when it is down, and it does not have `up.log`.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from polypipe.errors import PolypipeError

POLL_SECONDS = 0.25
LINES_OF_ONE = 100
LINES_OF_EACH = 10
_TAIL_BYTES = 200_000


def logs(directory: Path, name: str | None = None, follow: bool = False) -> Iterator[str]:
    """The last lines of every log in the directory, prefixed with the log's name, or of the log `name`.

    Never ends if `follow`. Raises `PolypipeError` if there is no such log.
    """
    try:
        names = sorted(path.stem for path in directory.iterdir() if path.suffix == ".log")
    except (FileNotFoundError, NotADirectoryError):
        names = []
    except OSError as error:
        raise PolypipeError(f"{directory} cannot be read: {error.strerror}") from None
    if not names:
        raise PolypipeError(f"no logs in {directory}: nothing has been started on this home")
    if name is not None and name not in names:
        raise PolypipeError(f"unknown log {name!r}; choose from {', '.join(names)}")
    wanted = names if name is None else [name]
    width = max(map(len, wanted))
    tails = {one: _Tail(directory / f"{one}.log", LINES_OF_EACH if name is None else LINES_OF_ONE) for one in wanted}
    while True:
        for one, tail in tails.items():
            for line in tail.new():
                yield line if name is not None else f"{one:{width}} | {line}"
            if not follow and (line := tail.unfinished()):  # the last output of a killed program may have no line end
                yield line if name is not None else f"{one:{width}} | {line}"
        if not follow:
            return
        time.sleep(POLL_SECONDS)


class _Tail:
    """The last lines of a file, then the lines appended to it, across rotations."""

    def __init__(self, path: Path, lines: int) -> None:
        self._path = path
        self._file = path.open("rb")
        self._rest = b""
        size = os.fstat(self._file.fileno()).st_size
        self._file.seek(max(0, size - _TAIL_BYTES))
        whole = self._file.read().split(b"\n")
        self._rest = whole.pop()
        self._first: list[bytes] = whole[-lines:]

    def new(self) -> Iterator[str]:
        first, self._first = self._first, []
        yield from map(_shown, first)
        while True:
            moved = self._moved()  # checked before reading, so that nothing written before the rotation is missed
            *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
            yield from map(_shown, whole)
            if not moved:
                return
            self._file.close()
            self._file = self._path.open("rb")

    def unfinished(self) -> str:
        """The text after the last line end."""
        return _shown(self._rest)

    def _moved(self) -> bool:
        try:
            there, here = self._path.stat(), os.fstat(self._file.fileno())
        except FileNotFoundError:  # between the two steps of a rotation
            return False
        return (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev)


def _shown(line: bytes) -> str:
    """Replace control characters: logs contain titles of markets, and a terminal would interpret them."""
    return "".join(
        c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line.decode(errors="replace")
    )
