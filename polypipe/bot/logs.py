"""The logs that the bot writes: files, tables, headers and the start of a line."""

import codecs
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from polypipe.bot import grammar, own_fills
from polypipe.bot.log_rows import LogRow
from polypipe.errors import PolypipeError

FIRST_BYTES = 1 << 16
"""Bytes of a first line that identify its log."""

LINE_START = re.compile(rb"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3},(?:MEMPOOL|\d{1,15}),\d{1,78},")
"""The start of a line. The bot writes a line and its newline separately, from several tasks, so after a kill or a switch
of tasks in between, the next line can follow without a newline. No text in a line matches: its commas are semicolons."""


@dataclass(frozen=True)
class Log:
    """One kind of log: its file, table, header and parser."""

    file: str
    table: str
    header: str
    parse: Callable[[str], LogRow]


TRADE_LOG = Log("matches_optimized.csv", "trade_log", grammar.TRADE_LOG_HEADER, grammar.parse_line)
OWN_FILLS = Log("my_fills.csv", "own_fills", own_fills.OWN_FILLS_HEADER, own_fills.parse_line)
LOGS = (TRADE_LOG, OWN_FILLS)


def is_empty(log: Log, size: int) -> bool:
    """True if a file of `size` bytes is too small for more than a byte-order mark, the header and its line end."""
    return size <= len(codecs.BOM_UTF8) + len(log.header) + len("\r\n")


def text_begins(file: BinaryIO) -> int:
    """Seek to the start of the text and return its offset: 3 after a byte-order mark (left by some editors), else 0."""
    file.seek(0)
    begin = len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0
    file.seek(begin)
    return begin


def first_line(file: BinaryIO, log: Log) -> bytes | None:
    """The first line that is neither empty nor the header, with its newline; None while it is missing or incomplete."""
    text_begins(file)
    while line := file.readline(FIRST_BYTES):
        if not line.endswith(b"\n") and len(line) < FIRST_BYTES:
            return None
        if line.strip() and line.strip() != log.header.encode():
            return line
    return None


def hash_of(line: bytes) -> str:
    """SHA-256 of a first line; identifies a log."""
    return hashlib.sha256(line).hexdigest()


def decoded(line: bytes) -> tuple[str, bool]:
    """(text, True) of a UTF-8 line; (text, False) with one character a byte if it is not valid UTF-8."""
    try:
        return line.decode(), True
    except UnicodeDecodeError:
        return line.decode("latin-1"), False


def check_header(file: BinaryIO, log: Log) -> None:
    """Raise `PolypipeError` if the file begins with a header other than the log's."""
    text_begins(file)
    first = file.readline(FIRST_BYTES)
    text = first.decode("utf-8", "replace").strip()
    if not first.endswith(b"\n") or not text.startswith("timestamp") or text == log.header:
        return
    have, want = text.split(","), log.header.split(",")
    strange = ", ".join(repr(name) for name in have if name not in want) or "none"
    missing = ", ".join(repr(name) for name in want if name not in have) or "none"
    order = "; the order differs" if sorted(have) == sorted(want) else ""
    raise PolypipeError(f"{log.file} has an unknown header: unknown columns {strange}; missing columns {missing}{order}")
