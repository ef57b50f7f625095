"""Support for the warehouse's tests: rows, processes that write them, and queries."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from polypipe.warehouse import Append, Replace, Warehouse
from polypipe.warehouse.tables import DAY_COLUMN

DAY = datetime(2026, 11, 20, tzinfo=UTC)


def token(number: int, crawl_id: str = "c1", **changes: Any) -> dict[str, Any]:
    row = {
        "token_id": str(10**76 + number),
        "market_id": str(number // 2),
        "event_id": str(number // 20),
        "outcome_index": number % 2,
        "slug": f"atp-player-{number}",
        "neg_risk": False,
        "live": False,
        "is_ligue1": False,
        "is_tennis": True,
        "is_atp": True,
        "tennis_category": "moneyline",
        "crawl_id": crawl_id,
    }
    return row | changes


def crawl(crawl_id: str, day: int = 0, **changes: Any) -> dict[str, Any]:
    finished = DAY + timedelta(days=day, hours=12)
    return {"crawl_id": crawl_id, "kind": "universe", "finished_at": finished, "complete": True} | changes


def write(wh: Warehouse, crawl_id: str, tokens: int = 10, day: int = 0) -> str:
    """Commit a batch as a crawl writes it, without merging it."""
    with wh.batch("sports_events") as batch:
        batch.add("tokens", (token(number, crawl_id) for number in range(tokens)))
        batch.add("crawls", [crawl(crawl_id, day)])
        return batch.commit({"tokens": Replace(), "crawls": Append()})


def rows(wh: Warehouse, query: str, pending: bool = False) -> list[Any]:
    with wh.read(pending=pending) as con:
        return con.execute(query).fetchall()


def crawl_ids(wh: Warehouse, pending: bool = False) -> list[str]:
    return [crawl_id for (crawl_id,) in rows(wh, "SELECT crawl_id FROM crawls ORDER BY ALL", pending)]


def live_rows(wh: Warehouse, query: str) -> list[Any]:
    """Query the live file directly, which only tests may do, while no other process has it open."""
    with duckdb.connect(str(wh.layout.database), read_only=True) as con:
        return con.execute(query).fetchall()


def assert_published_is_live(wh: Warehouse) -> None:
    with duckdb.connect(str(wh.layout.database), read_only=True) as live, wh.read(pending=False) as published:
        for table in DAY_COLUMN:
            query = f"SELECT * FROM {table} ORDER BY ALL"
            assert published.execute(query).fetchall() == live.execute(query).fetchall(), table


def published_files(wh: Warehouse) -> set[str]:
    return {entry.name for entry in wh.layout.published.glob("*.parquet")}


def spooled(wh: Warehouse) -> list[str]:
    return sorted(entry.name for entry in wh.layout.spool.iterdir())


def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """Run Python code in a new process with stdin and stdout piped; `sys.argv[1:]` are the arguments."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)
