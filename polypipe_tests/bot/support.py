"""Helpers of the bot tests: lines of a growing log, and queries of the rows read from it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from polypipe.bot.grammar import TRADE_LOG_HEADER
from polypipe.warehouse import Warehouse
from polypipe_tests.bot.corpus import STATUSES, line

HEADER = f"{TRADE_LOG_HEADER}\n"
START = datetime(2026, 11, 20, 23, 50, tzinfo=UTC)


def log_lines(count: int, start: int = 0) -> list[str]:
    """`count` distinct lines of the log, over two days."""
    return [
        line(
            STATUSES[number % len(STATUSES)][0],
            time=f"{START + timedelta(seconds=7 * number):%Y-%m-%d %H:%M:%S}.{number % 1000:03d}",
            block=str(60_000_000 + number),
            tx=f"0x{number:064x}",
        )
        for number in range(start, start + count)
    ]


def text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def append(path: Path, more: str) -> None:
    """Append text without translating newlines."""
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(more)


def rows(
    warehouse: Warehouse, query: str = "SELECT * FROM trade_log ORDER BY log_id, byte_offset"
) -> list[tuple[Any, ...]]:
    with warehouse.read() as con:
        result: list[tuple[Any, ...]] = con.execute(query).fetchall()
        return result


def raws(warehouse: Warehouse, table: str = "trade_log") -> list[str]:
    """The stored lines, sorted."""
    return sorted(raw for (raw,) in rows(warehouse, f"SELECT raw FROM {table}"))


def position(warehouse: Warehouse) -> tuple[Any, ...]:
    """(byte_offset, row_count, began) of the log read last."""
    return rows(warehouse, "SELECT byte_offset, row_count, began FROM log_positions ORDER BY read_at DESC LIMIT 1")[0]
