"""`polypipe logs`: the last lines of the programs' logs, and new ones as they come. The supervisor rotates the files."""

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
    """The last lines of every log of the directory, each line with its log's name, or of one without it.

    With `follow` never ends. Raises `PolypipeError`.
    """
    try:
        names = sorted(path.stem for path in directory.iterdir() if path.suffix == ".log")
    except (FileNotFoundError, NotADirectoryError):
        names = []
    except OSError as error:
        raise PolypipeError(f"{directory} cannot be read: {error.strerror}") from None
    if not names:
        raise PolypipeError(f"there are no logs in {directory}: nothing was ever started there")
    if name is not None and name not in names:
        raise PolypipeError(f"{name!r} is no log; there are {', '.join(names)}")
    wanted = names if name is None else [name]
    width = max(map(len, wanted))
    tails = {one: _Tail(directory / f"{one}.log", LINES_OF_EACH if name is None else LINES_OF_ONE) for one in wanted}
    while True:
        for one, tail in tails.items():
            for line in tail.new():
                yield line if name is not None else f"{one:{width}} | {line}"
            if not follow and (line := tail.unfinished()):  # what a killed program said last may have no end
                yield line if name is not None else f"{one:{width}} | {line}"
        if not follow:
            return
        time.sleep(POLL_SECONDS)


class _Tail:
    """The last lines of a file, then what is added to it, also after it was moved away and begun anew."""

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
            moved = self._moved()  # asked first: what is written until it is moved away must be read before it is left
            *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
            yield from map(_shown, whole)
            if not moved:
                return
            self._file.close()
            self._file = self._path.open("rb")

    def unfinished(self) -> str:
        """What was written after the last end of a line."""
        return _shown(self._rest)

    def _moved(self) -> bool:
        try:
            there, here = self._path.stat(), os.fstat(self._file.fileno())
        except FileNotFoundError:  # between the two steps of a rotation
            return False
        return (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev)


def _shown(line: bytes) -> str:
    """Without control characters: titles of markets are in the logs, and a terminal obeys what it is shown."""
    return "".join(
        c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line.decode(errors="replace")
    )
