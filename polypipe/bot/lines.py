"""Splits a log into lines and keeps every byte."""

from collections.abc import Iterator
from typing import BinaryIO

from polypipe.bot.logs import LINE_START, MAX_LINE

READ_BYTES = 1 << 20

TIME_COLONS = 17
"""All colons of a line's time are before this byte. The last colon of a second line in it never is."""


def lines(file: BinaryIO, offset: int, closed: bool = False) -> Iterator[tuple[int, bytes, bool]]:
    """Yields (offset, line without newline, True) for each complete line from `offset` on.

    The flag is False for pieces without a newline of their own: `MAX_LINE` bytes of a longer line, a line directly
    followed by the start of the next, and the bytes after the last newline if the file is `closed`.
    """
    file.seek(offset)
    rest = b""
    while block := file.read(READ_BYTES):
        *complete, rest = (rest + block).split(b"\n")
        for line in complete:
            while len(line) > MAX_LINE:
                yield offset, line[:MAX_LINE], False
                offset, line = offset + MAX_LINE, line[MAX_LINE:]
            # Most lines have no colon after their time, so they cannot contain a second line.
            if line.find(b":", TIME_COLONS) < 0 or LINE_START.search(line, 1) is None:
                yield offset, line, True
            else:
                yield from _apart(offset, line, True)
            offset += len(line) + 1
        while len(rest) > MAX_LINE:
            yield offset, rest[:MAX_LINE], False
            offset, rest = offset + MAX_LINE, rest[MAX_LINE:]
    if closed and rest:
        yield from _apart(offset, rest, False)


def _apart(offset: int, line: bytes, whole: bool) -> Iterator[tuple[int, bytes, bool]]:
    """A line, split where another one starts without a newline in between."""
    while (another := LINE_START.search(line, 1)) is not None:
        yield offset, line[: another.start()], False
        offset, line = offset + another.start(), line[another.start() :]
    yield offset, line, whole
