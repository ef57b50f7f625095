"""Splits a log into lines and keeps the place of every byte."""

import hashlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from polypipe.bot.logs import LINE_START

READ_BYTES = 1 << 20

MAX_LINE = 1 << 20
"""Bytes of an unfinished line that are kept in memory. Of a longer line, beginning and end are kept."""

TIME_COLONS = 17
"""All colons of a line's time are before this byte. The last colon of a second line in it never is."""


class Line(NamedTuple):
    """A line without its newline. `text` lacks the middle of a line longer than `MAX_LINE`; `size` counts all bytes.

    `whole` is False without a newline of its own: before the start of another line, and at the end of a closed file.
    `sha256` is set if `text` is not all of the line.
    """

    offset: int
    text: bytes
    whole: bool
    size: int
    sha256: str | None = None

    @property
    def end(self) -> int:
        """Offset of the byte after the line and its newline."""
        return self.offset + self.size + self.whole


def lines(file: BinaryIO, offset: int, closed: bool = False) -> Iterator[Line]:
    """Yields each complete line from `offset` on, and the bytes after the last newline if the file is `closed`.

    A line in which another one starts is yielded in two parts. Memory use does not depend on the length of a line.
    """
    file.seek(offset)
    rest = b""
    endless: _Endless | None = None
    while block := file.read(READ_BYTES):
        if endless is not None:
            end = block.find(b"\n")
            endless.add(block if end < 0 else block[:end])
            if end < 0:
                continue
            line = endless.line(True)
            yield line
            offset, endless, block = line.end, None, block[end + 1 :]
        *complete, rest = (rest + block).split(b"\n")
        for text in complete:
            # Most lines have no colon after their time, so they cannot contain a second line.
            if text.find(b":", TIME_COLONS) < 0 or LINE_START.search(text, 1) is None:
                yield Line(offset, text, True, len(text))
            else:
                yield from _apart(offset, text, True)
            offset += len(text) + 1
        if len(rest) > MAX_LINE:
            endless, rest = _Endless(offset, rest), b""
    if closed and endless is not None:
        yield endless.line(False)
    elif closed and rest:
        yield from _apart(offset, rest, False)


def _apart(offset: int, text: bytes, whole: bool) -> Iterator[Line]:
    """A line, split where another one starts without a newline in between."""
    while (another := LINE_START.search(text, 1)) is not None:
        yield Line(offset, text[: another.start()], False, another.start())
        offset, text = offset + another.start(), text[another.start() :]
    yield Line(offset, text, whole, len(text))


_INSIDE, _LEADING = bytes(range(0x80, 0xC0)), bytes(range(0xC0, 0x100))
"""Bytes of a letter of several bytes in UTF-8: all but the first, and the first."""


class _Endless:
    """A line longer than `MAX_LINE`: its beginning, its end, its size and its SHA-256."""

    def __init__(self, offset: int, begins: bytes) -> None:
        self._offset, self._head, self._tail = offset, begins[: MAX_LINE // 2], begins[MAX_LINE // 2 :]
        self._size, self._hash = len(begins), hashlib.sha256(begins)

    def add(self, more: bytes) -> None:
        self._tail = (self._tail + more)[-MAX_LINE // 2 :]
        self._size += len(more)
        self._hash.update(more)

    def line(self, whole: bool) -> Line:
        head = self._head.rstrip(_INSIDE).rstrip(_LEADING)  # a letter of several bytes may be cut
        return Line(self._offset, head + self._tail.lstrip(_INSIDE), whole, self._size, self._hash.hexdigest())
