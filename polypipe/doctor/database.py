"""Checks of what is stored: the DuckDB file and who holds it, what is published, what waits, how old the data is."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from polypipe.doctor.inputs import Facts
from polypipe.doctor.machine import process_named
from polypipe.doctor.result import Result, error, ok, skipped, unknown, warning
from polypipe.settings import Settings
from polypipe.text import count, duration, utc_text
from polypipe.warehouse import WarehouseBusy, WarehouseError
from polypipe.warehouse.connection import literal, open_memory, quoted
from polypipe.warehouse.current import Current, read_current
from polypipe.warehouse.gate import gate
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import latest
from polypipe.warehouse.spool import rejection, waiting_batches

GATE_SECONDS = 3.0
"""A writer holds the gate for 2 s at most."""

FUTURE = timedelta(seconds=30)
"""What is younger than now by so much was not made while we looked: the clock went back."""

WAITING_TOO_LONG = timedelta(minutes=5)
HISTORY_LOOK_BACK = timedelta(days=30)
NEVER = "nothing is stored yet"


def check_database(facts: Facts) -> Result:
    """The live file opens, its schema is known, its tables can be read to the end and have the rows that were published."""
    layout = facts.warehouse.layout
    if not layout.database.exists():
        if layout.pointer.exists():
            what = f"{layout.database} is gone, although data was published from it"
            return error(
                "DuckDB file", what, "bring back a copy (polypipe.duckdb and its .wal), or the next writer begins anew"
            )
        return skipped("DuckDB file", NEVER)
    try:
        with gate(layout.lock, time.monotonic() + GATE_SECONDS):
            return _open_database(layout)
    except WarehouseBusy as busy:
        what = f"a writer holds it: {busy.holder}, for longer than {GATE_SECONDS:.0f} s of waiting"
        return warning(
            "DuckDB file", what, "nothing is lost, rows wait in the spool; if it stays for minutes, stop that process"
        )


def _open_database(layout: Layout) -> Result:
    """Read-only and short. The caller has the gate, so no writer of ours waits for a file that a reader holds."""
    import duckdb

    try:
        con = duckdb.connect(str(layout.database), read_only=True, config={"threads": 1})
    except duckdb.IOException as failure:
        if "Could not set lock" not in str(failure):
            return _broken(layout, failure)
        pid = re.search(r"PID (\d+)", str(failure))
        what = f"{process_named(int(pid[1])) if pid else 'another process'} has it open"
        advice = "close it there: while it is open, rows wait in the spool. polypipe sql reads without holding anything"
        return warning("DuckDB file", what, advice)
    except duckdb.Error as failure:
        return _broken(layout, failure)
    try:
        version, when = con.execute("SELECT max(version), max(applied_at) FROM schema_migrations").fetchall()[0]
        parts = con.execute("SELECT table_name, sum(row_count)::BIGINT FROM partitions GROUP BY table_name").fetchall()
        wrong = []
        for table, rows in parts:
            # Every value, which for 50 MB takes 0.1 s: only so are the blocks read, and their checksums looked at.
            query = f"SELECT count(*), bit_xor(hash(t)) FROM {quoted(table)} AS t"  # noqa: S608 -- quoted
            found = con.execute(query).fetchall()[0][0]
            if found != rows:
                wrong.append(f"{table} has {found:,} rows, {rows:,} are accounted for")
    except duckdb.Error as failure:
        return _broken(layout, failure)
    finally:
        con.close()
    size = layout.database.stat().st_size / 1e6
    since = f"{when.astimezone(UTC):%Y-%m-%d}"
    finding = f"{size:.0f} MB, {count(len(parts), 'table')} with rows, schema {version} of {since}; nobody holds it"
    if version > latest():
        return error("DuckDB file", f"schema {version} is newer than this polypipe knows ({latest()})", "upgrade polypipe")
    if wrong:
        return error("DuckDB file", f"{finding}; {wrong[0]}", "restore a backup, or report it with this line", wrong[1:])
    if version < latest():
        return ok("DuckDB file", f"{finding}; the next writer brings it to schema {latest()}")
    return ok("DuckDB file", finding)


def _broken(layout: Layout, failure: Exception) -> Result:
    what = " ".join(str(failure).split())
    advice = (
        f"stop polypipe, move {layout.database} and its .wal away and restore a backup; "
        "without one the next writer begins anew (what is published stays readable until then)"
    )
    return error("DuckDB file", f"it cannot be read: {what}", advice)


def check_published(facts: Facts) -> Result:
    """`CURRENT.json` and every file that it names, read to the end."""
    layout = facts.warehouse.layout
    try:
        current = read_current(layout)
    except (WarehouseError, OSError) as failure:
        return error("published tables", str(failure), "polypipe refresh writes it anew")
    if current is None:
        return skipped("published tables", NEVER)
    faults = list(_faults(layout, current))
    rows = sum(table.rows for table in current.tables.values())
    files = sum(len(table.files) for table in current.tables.values())
    age = duration(facts.now - current.time)
    finding = f"version {current.version}, {age} old: {count(rows, 'row')} in {count(files, 'file')}"
    if faults:
        newer = read_current(layout)
        if newer is not None and newer.version != current.version:
            return unknown("published tables", "a new version was published this moment", "run doctor again")
        advice = (
            "move a damaged file away; what is missing the next writer (polypipe refresh) writes anew from polypipe.duckdb"
        )
        return error("published tables", f"{finding}; {faults[0]}", advice, faults[1:])
    if current.time - facts.now > FUTURE:
        what = f"{finding}: of {utc_text(current.time, seconds=True)}, which is still to come"
        advice = "our clock is behind, or was ahead then (see clock): every age told here is wrong by as much"
        return warning("published tables", what, advice)
    return ok("published tables", finding)


def _faults(layout: Layout, current: Current) -> Iterator[str]:
    import duckdb

    with open_memory() as con:
        for table, entry in current.tables.items():
            missing = [file.path for file in entry.files if not (layout.home / file.path).is_file()]
            if missing:
                yield f"{table}: {missing[0]} is missing" + (f" and {len(missing) - 1} more" if missing[1:] else "")
                continue
            found = 0
            for file in entry.files:
                query = f"SELECT count(*), bit_xor(hash(t)) FROM read_parquet({literal(layout.home / file.path)}) AS t"  # noqa: S608
                try:
                    found += con.execute(query).fetchall()[0][0]
                except duckdb.Error as failure:
                    yield f"{table}: {file.path} is damaged: {' '.join(str(failure).split())}"
                    break
            else:
                if found != entry.rows:
                    yield f"{table}: {found:,} rows in its files, {entry.rows:,} expected"


def check_spool(facts: Facts) -> Result:
    """Batches that wait to be merged, and batches that cannot be merged."""
    layout = facts.warehouse.layout
    if not layout.spool.exists():
        return skipped("spool", NEVER)
    waiting = waiting_batches(layout)
    rejected = sorted(entry.name for entry in layout.rejected.iterdir()) if layout.rejected.exists() else []
    if rejected:
        why = rejection(layout, rejected[-1]) or "no reason given"
        number = count(len(rejected), "batch", "batches")
        return warning(
            "spool",
            f"{number} could not be merged; the newest, {rejected[-1]}: {why}",
            f"report the reason: their rows are in no table but in {layout.rejected}; delete them there to be done with it",
        )
    if not waiting:
        return ok("spool", "nothing waits to be merged")
    oldest = facts.now - datetime.strptime(waiting[0].partition("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
    finding = f"{len(waiting)} waiting to be merged, the oldest for {duration(oldest)}"
    if oldest > WAITING_TOO_LONG:
        return warning(
            "spool", finding, "nothing is lost; who holds the DuckDB file? If nobody: polypipe refresh merges them"
        )
    return ok("spool", finding)


def check_ages(facts: Facts) -> Iterator[Result]:
    """How old the universe, the snapshots and the history are."""
    if not facts.any_data:
        for name in ("crawl", "snapshots", "history"):
            yield skipped(name, NEVER)
        return
    from polypipe.caches.spec import latest_universe

    with facts.warehouse.read() as con:
        universe = latest_universe(con)
        failed = con.execute(
            "SELECT finished_at, error FROM crawls WHERE kind = 'universe' AND NOT complete "
            "ORDER BY finished_at DESC LIMIT 1"
        ).fetchall()
        newest = con.execute("SELECT max(timestamp) FROM snapshots WHERE origin = 'polypipe'").fetchall()[0][0]
        known = con.execute("SELECT wallet, day FROM activity_days").fetchall()
    why = ""
    if failed and (universe is None or failed[0][0] > universe.observed_at):
        why = f"{duration(facts.now - failed[0][0])} ago one failed: {failed[0][1]}"
    yield judge_crawl(universe.age if universe else None, why)
    yield judge_snapshots(facts.settings, newest, facts.now)
    yield judge_history(facts.settings, {(wallet, day.astimezone(UTC)) for wallet, day in known}, facts.now)


def judge_crawl(age: timedelta | None, failed: str) -> Result:
    """The universe, on which all files rest."""
    from polypipe.caches.spec import FRESH_WITHIN

    if age is None:
        if failed:
            return error("crawl", f"none was ever complete; {failed}", "see gamma above; polypipe refresh tries again")
        return skipped("crawl", "none yet")
    finding = f"the newest complete one is {duration(age)} old, limit {duration(FRESH_WITHIN)}"
    if age > FRESH_WITHIN:
        what = f"{finding}; {failed}" if failed else finding
        return error("crawl", what, "polypipe up crawls every 10 minutes, polypipe refresh once")
    if failed:
        return warning("crawl", f"{finding}; {failed}", "nothing to do if it is alone: the next one is the retry")
    return ok("crawl", finding)


def judge_snapshots(settings: Settings, newest: datetime | None, now: datetime) -> Result:
    """The divergence snapshots, one a minute while polypipe is up and the wallets are set."""
    from polypipe.divergence.assets import SNAPSHOT_FRESH

    if settings.copier_address is None or settings.whale_address is None:
        return skipped("snapshots", "no wallets are set")
    if newest is None:
        return skipped("snapshots", "none yet: polypipe up takes them")
    age = now - newest.astimezone(UTC)
    limit = max(SNAPSHOT_FRESH, 3 * timedelta(seconds=settings.snapshot_seconds))
    finding = f"the newest is {duration(age)} old, limit {duration(limit)}"
    if age > limit:
        return warning("snapshots", finding, "polypipe up takes them; if it is up, see logs/daemon.log")
    return ok("snapshots", finding)


def judge_history(settings: Settings, known: set[tuple[str, datetime]], now: datetime) -> Result:
    """Days of the last 30 whose activity is not known for both wallets."""
    from polypipe.history.checks import due_day

    wallets = [wallet for wallet in (settings.copier_address, settings.whale_address) if wallet]
    if len(wallets) < 2:
        return skipped("history", "no wallets are set")
    if not known:
        return skipped("history", "none yet: the first 30 days are filled after the first start with wallets")
    last = due_day(now)
    begin = datetime.combine(settings.history_start, datetime.min.time(), UTC)
    day, days = max(begin, last - HISTORY_LOOK_BACK + timedelta(days=1)), []
    while day <= last:
        days.append(day)
        day += timedelta(days=1)
    missing = [day for day in days if any((wallet, day) not in known for wallet in wallets)]
    if not missing:
        return ok("history", f"each of the last {count(len(days), 'day')} is known for both wallets")
    span = f"{missing[0]:%Y-%m-%d}" + (f" to {missing[-1]:%Y-%m-%d}" if missing[1:] else "")
    return warning(
        "history",
        f"{len(missing)} of the last {count(len(days), 'day')} are not known for both wallets: {span}",
        "yesterday comes at 00:17 and 06:17 UTC; older days: backfill wallet_activity in the Dagster UI (Materialize)",
    )
