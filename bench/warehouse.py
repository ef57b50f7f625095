"""Benchmark: four concurrent writers and a reader, with gate and publish, and with a plain file and backoff.

    .venv/bin/python bench/warehouse.py

Both variants write the same rows (5,000 + 5,000 + 50,000 + 200,000, one transaction each) from separate processes in
several bursts, while a reader runs 50 queries a second, as a page does. The rows are in the spool or in a file before
the clock starts: real runs fetch for a minute and need the database for a second. The baseline is common practice:
every writer and every request opens the DuckDB file and retries with exponential backoff while it is locked. Query
times count from the moment a query is due, so a stall shows in every query that it delays.

Exits with 1 if gate and publish misses a target: no failed write, no failed read, reader p95 at most 25 ms.
"""

import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from polypipe.warehouse import Append, Replace, Warehouse
from polypipe.warehouse.follow import FollowingReader
from polypipe.warehouse.migrate import migrate
from polypipe.warehouse.modes import Mode
from polypipe.warehouse.tables import columns

ROUNDS = 3
PERIOD_SECONDS = 5.0  # between bursts; real schedules leave minutes
WRITER_PATIENCE_SECONDS = 20.0
READER_PATIENCE_SECONDS = 2.0
QUERIES_PER_SECOND = 50
P95_TARGET_MS = 25.0
WRITES: list[tuple[str, int, Mode]] = [
    ("events", 5_000, Replace()),
    ("publications", 5_000, Append()),
    ("markets", 50_000, Replace()),
    ("tokens", 200_000, Replace()),
]
QUERIES = [
    "SELECT tennis_category, count(*), count(*) FILTER (live) FROM tokens GROUP BY 1",
    "SELECT file, max(time), count(*) FROM publications GROUP BY 1",
    "SELECT event_id, slug, title FROM events WHERE live ORDER BY event_id LIMIT 20",
    "SELECT sports_market_type, count(*) FROM markets GROUP BY 1 ORDER BY 2 DESC",
]


@dataclass
class Write:
    """Result of one writer. `waited` and `seconds` count from the common start."""

    ok: bool
    waited: float
    seconds: float
    peak_mb: float


@dataclass
class Reads:
    """Result of the reader."""

    milliseconds: list[float] = field(default_factory=list)
    failed: int = 0
    peak_mb: float = 0.0


def rows(table: str, count: int, run: int) -> Iterator[dict[str, Any]]:
    """Generate rows of realistic width; token ids have 77 digits."""
    now = datetime.now(UTC)
    for n in range(count):
        if table == "events":
            yield {
                "event_id": str(n),
                "slug": f"atp-someone-someone-{n}",
                "title": f"Someone vs. Someone else {n}",
                "tag_ids": ["1", "864", "101232"],
                "live": n % 50 == 0,
                "start_time": now,
            }
        elif table == "markets":
            yield {
                "market_id": str(n),
                "event_id": str(n // 10),
                "condition_id": f"0x{n:064x}",
                "question": f"Will Someone win set {n % 5} against Someone else?",
                "sports_market_type": f"tennis_type_{n % 7}",
                "version": "v1",
                "token_count": 2,
            }
        elif table == "tokens":
            yield {
                "token_id": str(10**76 + n),
                "market_id": str(n // 2),
                "event_id": str(n // 20),
                "outcome_index": n % 2,
                "slug": f"atp-someone-someone-{n // 20}",
                "neg_risk": False,
                "live": n % 50 == 0,
                "is_ligue1": False,
                "is_tennis": True,
                "is_atp": True,
                "tennis_category": ("moneyline", "set_handicap", "game_totals")[n % 3],
            }
        else:
            yield {
                "publication_id": f"{run}-{n}",
                "file": f"file-{n % 6}.json",
                "time": now - timedelta(seconds=n % 3600),
                "entries": n,
                "accepted": True,
            }


def with_backoff(path: Path, patience: float, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open the file; while it is locked, retry after 0.1 s, 0.2 s, 0.4 s ... for up to `patience` seconds."""
    deadline, delay = time.monotonic() + patience, 0.1
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.IOException:
            if time.monotonic() + delay > deadline:
                raise
        time.sleep(delay)
        delay *= 2


def write_published(home: Path, table: str, count: int, run: int, mode: Mode, start: Barrier) -> tuple[float, float]:
    """Write with gate and publish; returns seconds waited and total seconds."""
    warehouse = Warehouse(home)
    with warehouse.batch("bench") as batch:
        batch.add(table, rows(table, count, run))
        start.wait()
        started = time.monotonic()
        batch_id = batch.commit({table: mode})
    waited = warehouse.merge(wait=WRITER_PATIENCE_SECONDS, own=batch_id).waited_seconds
    return waited, time.monotonic() - started


def write_plain(home: Path, table: str, count: int, run: int, mode: Mode, start: Barrier) -> tuple[float, float]:
    """Write the same rows from the same JSON to the plain file; returns seconds waited and total seconds."""
    file = home / f"{table}-{run}.ndjson"
    with file.open("wb") as out:
        for row in rows(table, count, run):
            out.write(msgspec.json.encode(row) + b"\n")
    types = ", ".join(f"'{column.name}': '{column.type}'" for column in columns(table))
    start.wait()
    started = time.monotonic()
    with with_backoff(home / "plain.duckdb", WRITER_PATIENCE_SECONDS, read_only=False) as con:
        waited = time.monotonic() - started
        con.execute("BEGIN")
        if isinstance(mode, Replace):
            con.execute(f"DELETE FROM {table}")
        con.execute(
            f"INSERT INTO {table} BY NAME "
            f"SELECT * FROM read_json('{file}', format='newline_delimited', columns={{{types}}})"
        )
        con.execute("COMMIT")
    return waited, time.monotonic() - started


def writer(way: str, home: Path, write: tuple[str, int, Mode], run: int, start: Barrier, outcomes: "Queue[Write]") -> None:
    table, count, mode = write
    go = {"published": write_published, "plain": write_plain}[way]
    try:
        waited, seconds = go(home, table, count, run, mode, start)
        outcomes.put(Write(True, waited, seconds, peak_mb()))
    except Exception as error:  # any failure is a failed write
        print(f"  {way}: write of {table} failed: {str(error).splitlines()[0][:150]}", file=sys.stderr)
        outcomes.put(Write(False, WRITER_PATIENCE_SECONDS, WRITER_PATIENCE_SECONDS, peak_mb()))


def reader(way: str, home: Path, ready: Event, stop: Event, outcomes: "Queue[Reads]") -> None:
    if way == "published":
        with FollowingReader(Warehouse(home)) as following, following.cursor() as cursor:
            outcomes.put(ask(lambda query: cursor.execute(query).fetchall(), ready, stop))
        return

    def once(query: str) -> list[Any]:
        with with_backoff(home / "plain.duckdb", READER_PATIENCE_SECONDS, read_only=True) as con:
            return con.execute(query).fetchall()

    outcomes.put(ask(once, ready, stop))


def ask(query: Callable[[str], list[Any]], ready: Event, stop: Event) -> Reads:
    """Run queries at the fixed rate until `stop` is set."""
    reads, asked = Reads(), 0
    query(QUERIES[0])
    ready.set()
    due = time.monotonic()
    while not stop.is_set():
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            query(QUERIES[asked % len(QUERIES)])
        except duckdb.Error:
            reads.failed += 1
        else:
            reads.milliseconds.append((time.monotonic() - due) * 1000)
        asked += 1
        # Page visitors do not queue forever: skip queries that are overdue for longer than this.
        due = max(due + 1 / QUERIES_PER_SECOND, time.monotonic() - READER_PATIENCE_SECONDS)
    reads.peak_mb = peak_mb()
    return reads


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def prepare(way: str, home: Path) -> None:
    """Create empty tables for the reader."""
    home.mkdir()
    if way == "plain":
        with duckdb.connect(str(home / "plain.duckdb")) as con:
            migrate(con)
    else:
        Warehouse(home).merge()


def run(way: str, home: Path) -> tuple[list[Write], Reads]:
    """Run all rounds of one variant."""
    context = multiprocessing.get_context("spawn")
    prepare(way, home)
    write_outcomes: Queue[Write] = context.Queue()
    read_outcomes: Queue[Reads] = context.Queue()
    bursts = [context.Barrier(len(WRITES) + 1) for _ in range(ROUNDS)]
    writers = [
        context.Process(target=writer, args=(way, home, write, number, burst, write_outcomes))
        for number, burst in enumerate(bursts)
        for write in WRITES
    ]
    for process in writers:
        process.start()
    while any(burst.n_waiting < len(WRITES) for burst in bursts):
        time.sleep(0.1)

    ready, stop = context.Event(), context.Event()
    asking = context.Process(target=reader, args=(way, home, ready, stop, read_outcomes))
    asking.start()
    ready.wait()
    writes = []
    for burst in bursts:
        began = time.monotonic()
        burst.wait()
        writes += [write_outcomes.get() for _ in WRITES]
        time.sleep(max(0.0, PERIOD_SECONDS - (time.monotonic() - began)))
    stop.set()
    reads = read_outcomes.get()
    for process in [asking, *writers]:
        process.join()
    return writes, reads


def complete(way: str, home: Path) -> bool:
    """True if every row of every round is stored exactly once."""
    expected = [(count * (ROUNDS if isinstance(mode, Append) else 1),) for _, count, mode in WRITES]
    query = " UNION ALL ".join(f"SELECT {n}, count(*) FROM {table}" for n, (table, *_) in enumerate(WRITES))
    if way == "published":
        with Warehouse(home).read(pending=False) as con:
            found = con.execute(f"{query} ORDER BY 1").fetchall()
    else:
        with duckdb.connect(str(home / "plain.duckdb"), read_only=True) as con:
            found = con.execute(f"{query} ORDER BY 1").fetchall()
    return [row[1:] for row in found] == expected


def summary(writes: list[Write], reads: Reads, whole: bool) -> dict[str, float]:
    quantiles = statistics.quantiles(reads.milliseconds, n=100)
    return {
        "failed writes": sum(not write.ok for write in writes),
        "tables complete": float(whole),
        "writer wait, max s": max(write.waited for write in writes),
        "write total, max s": max(write.seconds for write in writes),
        "reads": len(reads.milliseconds),
        "failed reads": reads.failed,
        "read p50 ms": quantiles[49],
        "read p95 ms": quantiles[94],
        "read p99 ms": quantiles[98],
        "read max ms": max(reads.milliseconds),
        "writer peak MB": max(write.peak_mb for write in writes),
        "reader peak MB": reads.peak_mb,
    }


def main() -> int:
    results = {}
    for way in ("published", "plain"):
        with tempfile.TemporaryDirectory(prefix="polypipe-bench-") as directory:
            home = Path(directory) / "home"
            writes, reads = run(way, home)
            results[way] = summary(writes, reads, complete(way, home))
    ours, plain = results["published"], results["plain"]
    writes_each = ROUNDS * len(WRITES)
    print(f"{writes_each} writes in {ROUNDS} bursts of {len(WRITES)}, {QUERIES_PER_SECOND} queries a second")
    print(f"{'':22}{'gate+publish':>14}{'plain file':>14}{'ratio':>9}")
    for name, value in ours.items():
        ratio = f"{value / plain[name]:9.2f}" if plain[name] else f"{'-':>9}"
        print(f"{name:22}{value:14.1f}{plain[name]:14.1f}{ratio}")
    missed = [
        name
        for name, reached in {
            "no failed write": ours["failed writes"] == 0 and ours["tables complete"] == 1,
            "no failed read": ours["failed reads"] == 0,
            f"reader p95 at most {P95_TARGET_MS:.0f} ms": ours["read p95 ms"] <= P95_TARGET_MS,
        }.items()
        if not reached
    ]
    print("targets: all reached" if not missed else f"targets MISSED: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
