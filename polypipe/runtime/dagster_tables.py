"""Reads ticks and runs from Dagster's own tables, in SQLite or Postgres.

Does not import dagster (one second, 70 MB) and needs no server, so it works whatever is down. A test runs the queries on
rows that the pinned version of Dagster wrote.
"""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOVE_AWAY = (
    "run `polypipe stop` and move $POLYPIPE_HOME/dagster aside. Dagster then starts with empty storage: runs, ticks and "
    "the list of filled days are lost, rows of tables are not"
)
"""The remedy for a damaged file of Dagster's storage."""

Query = Callable[[str], list[tuple[Any, ...]]]

# The last tick of each schedule and sensor, and whether it is switched on.
_TICKS = """
SELECT t.tick_body, t.status, i.instigator_body, i.status FROM job_ticks t
LEFT JOIN instigators i ON i.selector_id = t.selector_id
WHERE t.id IN (SELECT max(id) FROM job_ticks GROUP BY selector_id)
"""
_RUNS = "SELECT run_id, run_body, start_time FROM runs WHERE status IN ('NOT_STARTED', 'STARTING', 'STARTED', 'CANCELING')"


@dataclass(frozen=True)
class Tick:
    """The last tick of a schedule or sensor.

    `time` is in epoch seconds. `error` is one line, None unless the tick failed. `every_seconds` is None for schedules.
    """

    name: str
    kind: str
    state: str
    time: float
    error: str | None
    every_seconds: float | None
    switched_on: bool


@dataclass(frozen=True)
class Run:
    """A run that is neither finished nor queued. `started` (epoch seconds) is None until its process has started."""

    run_id: str
    job: str
    started: float | None
    tags: dict[str, str]


def last_ticks(query: Query) -> list[Tick]:
    """The last tick of every schedule and sensor that ever ticked, by name."""
    return sorted(
        (_tick(json.loads(body), state, instigator, on) for body, state, instigator, on in query(_TICKS)),
        key=lambda tick: tick.name,
    )


def unfinished_runs(query: Query) -> list[Run]:
    """The runs that a process should be working on now."""
    found = []
    for run_id, body, started in query(_RUNS):
        run = json.loads(body)
        found.append(Run(run_id, run["pipeline_name"], started, run["tags"]))
    return found


@contextlib.contextmanager
def tables(home: Path, postgres_url: str | None) -> Iterator[tuple[Query, Query]]:
    """Query functions for the tables of (ticks, runs). Raises `OSError` if the storage is missing or does not answer."""
    with contextlib.ExitStack() as stack:
        if postgres_url is not None:
            both = stack.enter_context(connected(postgres_url))
            yield both, both
            return
        dagster = home / "dagster"
        yield (
            stack.enter_context(_sqlite(dagster / "schedules" / "schedules.db")),
            stack.enter_context(_sqlite(dagster / "history" / "runs.db")),
        )


def damage(path: Path) -> str:
    """What SQLite finds wrong with a file, in one line, or "" if it is intact. Raises `OSError` if it cannot be read.

    A file without a write-ahead log is opened as immutable, because SQLite would create a log and leave it there.
    """
    closed = not path.with_name(f"{path.name}-wal").exists()
    found = ""
    for how in ("&immutable=1", "") if closed else ("",):  # twice, because it may have been opened meanwhile
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro{how}"
            with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=5)) as con:
                found = str(con.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.OperationalError as error:  # locked or unreadable: its content is unknown
            raise OSError(f"{path} cannot be read: {error}") from None
        except sqlite3.DatabaseError as error:
            found = str(error)
        if found == "ok":
            return ""
    return " ".join(found.split())[:200]


@contextlib.contextmanager
def _sqlite(path: Path) -> Iterator[Query]:
    if not path.exists():
        raise OSError(f"{path} does not exist yet")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=2)) as con:

            def query(sql: str) -> list[tuple[Any, ...]]:
                try:
                    return con.execute(sql).fetchall()
                except sqlite3.Error as error:  # here, where it is known which of the two files it is
                    raise OSError(f"{path} cannot be read: {error}") from None

            yield query
    except sqlite3.Error as error:
        raise OSError(f"{path} cannot be read: {error}") from None


@contextlib.contextmanager
def connected(url: str) -> Iterator[Query]:
    """A query function for Dagster's storage in Postgres. Raises `OSError` without the driver, or without an answer."""
    try:
        import psycopg2  # type: ignore[import-untyped]
    except ImportError:
        raise OSError("Postgres needs two more packages: see deploy/requirements-postgres.lock") from None

    def query(sql: str) -> list[tuple[Any, ...]]:
        with con.cursor() as cursor:
            cursor.execute(sql)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    try:
        con = psycopg2.connect(url.replace("+psycopg2", "", 1), connect_timeout=2)
        with contextlib.closing(con):
            yield query
    except psycopg2.Error as error:  # its text may name the user and the host, never the password
        raise OSError(f"Dagster's storage in Postgres cannot be read: {' '.join(str(error).split())}") from None


def _tick(body: dict[str, Any], state: str, instigator: str | None, on: str | None) -> Tick:
    data = json.loads(instigator)["job_specific_data"] if instigator else None
    error = body.get("error")
    return Tick(
        name=body["job_name"],
        kind=body["job_type"]["__enum__"].partition(".")[2].lower(),
        state=state.lower(),
        time=body["timestamp"],
        error=" ".join(_cause(error).split())[:300] if error else None,
        every_seconds=(data or {}).get("min_interval"),
        switched_on=on != "STOPPED",
    )


def _cause(error: dict[str, Any]) -> str:
    """The message of the innermost error; the outer ones are Dagster's wrapping."""
    while error.get("cause"):
        error = error["cause"]
    return str(error["message"])
