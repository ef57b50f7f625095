"""Support for the tests of rebuilding: a filled home, its content table by table, and ways to damage files."""

import os
import struct
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from polypipe.warehouse import Append, Upsert, Warehouse
from polypipe.warehouse.tables import DAY_COLUMN
from polypipe_tests.warehouse.helpers import DAY, write

WALLET = "0xabc"

Contents = dict[str, tuple[int, int]]
"""Table with rows -> number of rows and a hash of them."""


def fill(wh: Warehouse, days: int = 4) -> None:
    """Days of crawls and activity, and a state table."""
    for day in range(days):
        write(wh, f"c{day}", tokens=40, day=day)
        add_activity(wh, day)
        wh.merge()


def add_activity(wh: Warehouse, day: int, rows: int = 3) -> str:
    """Commit one day's activity, which is recorded as complete."""
    with wh.batch("activity") as batch:
        batch.add("wallet_activity", [activity(day, number) for number in range(rows)])
        at = DAY + timedelta(days=day)
        batch.add("activity_days", [{"wallet": WALLET, "day": at, "activities": rows, "read_at": at}])
        return batch.commit({"wallet_activity": Append(), "activity_days": Upsert(("wallet", "day"))})


def activity(day: int, number: int) -> dict[str, Any]:
    at = DAY + timedelta(days=day, hours=number)
    texts = dict.fromkeys(("transaction_hash", "title", "slug", "event_slug", "outcome"), "x")
    row = {"key": f"{day}-{number}", "day": at.date(), "wallet": WALLET, "timestamp": at, "type": "TRADE", "occurrence": 0}
    return row | texts


def contents(wh: Warehouse) -> Contents:
    """What is published."""
    found = {}
    with wh.read(pending=False) as con:
        for table in DAY_COLUMN:
            rows, digest = con.execute(f"SELECT count(*), bit_xor(hash(t)) FROM {table} AS t").fetchall()[0]
            if rows:
                found[table] = (rows, digest)
    return found


def overwrite(path: Path, offset: int, length: int) -> None:
    """Invert bytes of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        content = file.read(length)
        file.seek(offset)
        file.write(bytes(byte ^ 0xFF for byte in content))


def block_of(database: Path, text: bytes) -> int:
    """Start of the last block of 256 kB that contains this text, so that the file opens and one table cannot be read."""
    return 12288 + (database.read_bytes().rindex(text) - 12288) // 262144 * 262144


def metadata_block(database: Path) -> int:
    """Start of a block that the file needs to open."""
    with duckdb.connect(str(database), read_only=True) as con:
        blocks = con.execute("SELECT block_id FROM pragma_metadata_info() WHERE free_blocks < total_blocks").fetchall()
    return 12288 + int(blocks[-1][0]) * 262144


def damage_data(database: Path) -> None:
    """Damage every block of rows, so that the file opens and no table can be read."""
    with duckdb.connect(str(database), read_only=True) as con:
        metadata = {block for (block,) in con.execute("SELECT block_id FROM pragma_metadata_info()").fetchall()}
    for block in range((database.stat().st_size - 12288) // 262144):
        if block not in metadata:
            overwrite(database, 12288 + block * 262144 + 800, 8)


def lose_a_day(wh: Warehouse) -> None:
    """Activity of 21 November is readable nowhere."""
    overwrite(next(wh.layout.published.glob("wallet_activity.2026-11-21.*")), 40, 1)
    wh.layout.database.unlink()


def leave_log(database: Path, sql: str) -> Path:
    """Kill a process that has committed `sql` to the write-ahead log; returns the log."""
    code = "import duckdb, os, sys; con = duckdb.connect(sys.argv[1]); con.execute(sys.argv[2]); os._exit(1)"
    subprocess.run([sys.executable, "-c", code, str(database), sql], check=False)
    log = database.with_name(f"{database.name}.wal")
    assert log.stat().st_size > 0
    return log


def make_newer(database: Path, storage: int = 99) -> None:
    """Change the storage format in the header of a database, as a newer DuckDB writes it."""
    with database.open("r+b") as file:
        header = bytearray(file.read(4096))
        header[12:20] = struct.pack("<Q", storage)
        checksum = 5381
        for (word,) in struct.iter_unpack("<Q", header[8:]):
            checksum ^= word * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
        header[:8] = struct.pack("<Q", checksum)
        file.seek(0)
        file.write(header)
        os.fsync(file.fileno())
