"""The logs that the bot writes: their files, tables and first lines."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from polypipe.bot import grammar, own_fills
from polypipe.bot.grammar import TradeRow
from polypipe.bot.own_fills import OwnFillRow

MAX_LINE = 1 << 16
"""Longest line in bytes that is read as one; more without a newline is read in pieces of this size."""

LINE_START = re.compile(rb"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3},(?:MEMPOOL|\d{1,15}),\d{1,78},")
"""How a line of the bot begins. It writes a line and its newline one after the other, from several tasks: after a kill in
between, or another task, the next line begins behind this one. No text in a line looks so: its commas are semicolons."""


class UnknownHeader(Exception):
    """The first line names columns that this version does not know, so no line can be trusted. Names them."""


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


def check_header(file: BinaryIO, log: Log) -> None:
    """Raise `UnknownHeader` when the file begins with names of columns and they are not those of the log."""
    file.seek(0)
    first = file.readline(MAX_LINE)
    text = first.decode("utf-8", "replace").strip()
    if not first.endswith(b"\n") or not text.startswith("timestamp") or text == log.header:
        return
    have, want = text.split(","), log.header.split(",")
    strange = ", ".join(repr(name) for name in have if name not in want) or "none"
    missing = ", ".join(repr(name) for name in want if name not in have) or "none"
    order = "; the order differs" if sorted(have) == sorted(want) else ""
    raise UnknownHeader(f"{log.file} has other columns than known: unknown {strange}; missing {missing}{order}")
