"""The logs that the bot writes: their files, tables and first lines."""

import codecs
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from polypipe.bot import grammar, own_fills
from polypipe.bot.log_rows import OwnFillRow, TradeRow
from polypipe.errors import PolypipeError

MAX_LINE = 1 << 16
"""Longest line in bytes that is read as one; more without a newline is read in pieces of this size."""

LINE_START = re.compile(rb"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3},(?:MEMPOOL|\d{1,15}),\d{1,78},")
"""How a line of the bot begins. It writes a line and its newline one after the other, from several tasks: after a kill in
between, or another task, the next line begins behind this one. No text in a line looks so: its commas are semicolons."""


@dataclass(frozen=True)
class Log:
    """One kind of log: its file, its table, its first line, and how a line becomes a row."""

    file: str
    table: str
    header: str
    parse: Callable[[str], TradeRow | OwnFillRow]


TRADE_LOG = Log("matches_optimized.csv", "trade_log", grammar.TRADE_LOG_HEADER, grammar.parse_line)
OWN_FILLS = Log("my_fills.csv", "own_fills", own_fills.OWN_FILLS_HEADER, own_fills.parse_line)
LOGS = (TRADE_LOG, OWN_FILLS)


def is_empty(log: Log, size: int) -> bool:
    """Whether a file of so many bytes can hold no line but the header, a byte-order mark and the end of a line included."""
    return size <= len(codecs.BOM_UTF8) + len(log.header) + len("\r\n")


def text_begins(file: BinaryIO) -> int:
    """3 where the file has a byte-order mark, as an editor leaves it, else 0. The file is then read from there."""
    file.seek(0)
    begin = len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0
    file.seek(begin)
    return begin


def first_line(file: BinaryIO, log: Log) -> bytes | None:
    """The first line that is neither empty nor the header, with its newline; None when there is no complete one yet."""
    text_begins(file)
    while line := file.readline(MAX_LINE):
        if not line.endswith(b"\n") and len(line) < MAX_LINE:
            return None
        if line.strip() and line.strip() != log.header.encode():
            return line
    return None


def hash_of(line: bytes) -> str:
    """SHA-256 of a first line, by which a log is known."""
    return hashlib.sha256(line).hexdigest()


def decoded(line: bytes) -> tuple[str, bool]:
    """(text, True) of a line, or with False one character for each byte where it is no UTF-8."""
    try:
        return line.decode(), True
    except UnicodeDecodeError:
        return line.decode("latin-1"), False


def check_header(file: BinaryIO, log: Log) -> None:
    """Raise `PolypipeError` when the file begins with names of columns and they are not those of the log."""
    text_begins(file)
    first = file.readline(MAX_LINE)
    text = first.decode("utf-8", "replace").strip()
    if not first.endswith(b"\n") or not text.startswith("timestamp") or text == log.header:
        return
    have, want = text.split(","), log.header.split(",")
    strange = ", ".join(repr(name) for name in have if name not in want) or "none"
    missing = ", ".join(repr(name) for name in want if name not in have) or "none"
    order = "; the order differs" if sorted(have) == sorted(want) else ""
    raise PolypipeError(f"{log.file} has other columns than known: unknown {strange}; missing {missing}{order}")
