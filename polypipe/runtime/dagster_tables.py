"""Ticks and runs, read from Dagster's own tables: SQLite in its home, or Postgres.

Without importing dagster (a second, 70 MB) and without any server, so that it works whatever is down. The tables are
those of the pinned version; a test holds the queries to what Dagster itself writes.
"""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOVE_AWAY = (
    "polypipe stop, move $POLYPIPE_HOME/dagster aside, and Dagster begins anew: it forgets runs, ticks and which days are "
    "filled; no row of a table is in it"
)
"""What to do about a file of Dagster's that is damaged."""

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
    """The last tick of a schedule or sensor. `time` is in seconds since 1970; `error` is one line, null unless it failed;
    `every_seconds` is null for schedules.
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
    """A run that is not finished and not queued. `started` is null before its process has begun."""

    run_id: str
    job: str
    started: float | None
    tags: dict[str, str]


def last_ticks(query: Query) -> list[Tick]:
    """Of every schedule and sensor that ever ticked, by name."""
    return sorted(
        (_tick(json.loads(body), state, instigator, on) for body, state, instigator, on in query(_TICKS)),
        key=lambda tick: tick.name,
    )


def unfinished_runs(query: Query) -> list[Run]:
    """Runs that some process should be working on now."""
    found = []
    for run_id, body, started in query(_RUNS):
        run = json.loads(body)
        found.append(Run(run_id, run["pipeline_name"], started, run["tags"]))
    return found


@contextlib.contextmanager
def tables(home: Path, postgres_url: str | None) -> Iterator[tuple[Query, Query]]:
    """Queries over (ticks, runs). Raises `OSError` where there is no storage yet, or it does not answer."""
    with contextlib.ExitStack() as stack:
        if postgres_url is not None:
            both = stack.enter_context(_postgres(postgres_url))
            yield both, both
            return
        dagster = home / "dagster"
        yield (
            stack.enter_context(_sqlite(dagster / "schedules" / "schedules.db")),
            stack.enter_context(_sqlite(dagster / "history" / "runs.db")),
        )


def damage(path: Path) -> str:
    """What SQLite finds wrong with a file, in one line; "" when it is whole. Raises `OSError` where it cannot be looked at.

    A file that nobody has open is looked at without its log, which SQLite would else make and leave beside it.
    """
    closed = not path.with_name(f"{path.name}-wal").exists()
    found = ""
    for how in ("&immutable=1", "") if closed else ("",):  # again, for it may have been opened just then
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro{how}"
            with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=5)) as con:
                found = str(con.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.OperationalError as error:  # locked, or not ours to read: that says nothing of its content
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
def _postgres(url: str) -> Iterator[Query]:
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
    except psycopg2.Error as error:  # its text may tell the user and the host, never the password
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
    """The message of what went wrong first: that of the outermost is Dagster's wrapping."""
    while error.get("cause"):
        error = error["cause"]
    return str(error["message"])
