"""Splits a log into lines, without losing or merging any byte."""

from collections.abc import Iterator
from typing import BinaryIO

from polypipe.bot.logs import LINE_START, MAX_LINE

READ_BYTES = 1 << 20

TIME_COLONS = 17
"""The colons in the time of a line stand before this byte; in a second line behind it, however close, the last does not."""


def lines(file: BinaryIO, offset: int, closed: bool = False) -> Iterator[tuple[int, bytes, bool]]:
    """(offset, line without newline, True) of each complete line from `offset` on.

    More than `MAX_LINE` bytes without a newline come in pieces of that size, with False: no line is too long to be kept.
    So does a line behind which the next one begins without a newline, and of a file that is `closed` what stands behind
    its last newline.
    """
    file.seek(offset)
    rest = b""
    while block := file.read(READ_BYTES):
        *complete, rest = (rest + block).split(b"\n")
        for line in complete:
            while len(line) > MAX_LINE:
                yield offset, line[:MAX_LINE], False
                offset, line = offset + MAX_LINE, line[MAX_LINE:]
            # Most lines have no colon but those of their time: what begins further on is not looked for.
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
    """A line, and each that begins behind it without a newline in between."""
    while (another := LINE_START.search(line, 1)) is not None:
        yield offset, line[: another.start()], False
        offset, line = offset + another.start(), line[another.start() :]
    yield offset, line, whole
