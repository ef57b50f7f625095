"""Checks of stored data: the DuckDB file and its holder, the published files, the spool, and the ages of the data.

The spool and the ages are findings of the health registry.
"""

import re
import time
from collections.abc import Iterator
from datetime import UTC, timedelta

from polypipe.doctor.inputs import Inputs
from polypipe.doctor.ports import process_named
from polypipe.doctor.result import Result, error, ok, skipped, unknown, warning
from polypipe.health.registry import BY_NAME, of_subjects
from polypipe.text import count, duration, utc_text
from polypipe.warehouse import WarehouseBusy, WarehouseError
from polypipe.warehouse.connection import literal, open_memory, quoted
from polypipe.warehouse.current import Current, read_current
from polypipe.warehouse.gate import gate
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import latest

GATE_SECONDS = 3.0
"""A writer holds the gate for 2 s at most."""

FUTURE = timedelta(seconds=30)
"""A time this far in the future was not written during the check: the clock was set back."""

NEVER = "nothing is stored yet"


def check_database(inputs: Inputs) -> Result:
    """The live file opens, its schema is known, and its tables can be read to the end and have as many rows as recorded."""
    layout = inputs.warehouse.layout
    if not layout.database.exists():
        if layout.pointer.exists():
            what = f"{layout.database} is missing, although data was published from it"
            return error(
                "DuckDB file",
                what,
                "restore polypipe.duckdb and its .wal from a backup; without one the next writer creates an empty database",
            )
        return skipped("DuckDB file", NEVER)
    try:
        with gate(layout.lock, time.monotonic() + GATE_SECONDS):
            return _open_database(layout)
    except WarehouseBusy as busy:
        what = f"a writer holds it: {busy.holder}, for more than {GATE_SECONDS:.0f} s"
        return warning(
            "DuckDB file", what, "nothing is lost: rows wait in the spool. If it lasts for minutes, stop that process"
        )


def _open_database(layout: Layout) -> Result:
    """Opens it read-only and briefly. The caller has the gate, so that no writer of ours meets a file held by a reader."""
    import duckdb

    try:
        con = duckdb.connect(str(layout.database), read_only=True, config={"threads": 1})
    except duckdb.IOException as failure:
        if "Could not set lock" not in str(failure):
            return _broken(layout, failure)
        pid = re.search(r"PID (\d+)", str(failure))
        what = f"{process_named(int(pid[1])) if pid else 'another process'} has it open"
        advice = "close it there: while it is open, rows wait in the spool. polypipe sql reads without holding the file"
        return warning("DuckDB file", what, advice)
    except duckdb.Error as failure:
        return _broken(layout, failure)
    try:
        version, when = con.execute("SELECT max(version), max(applied_at) FROM schema_migrations").fetchall()[0]
        parts = con.execute("SELECT table_name, sum(row_count)::BIGINT FROM partitions GROUP BY table_name").fetchall()
        wrong = []
        for table, rows in parts:
            # Reads every value (0.1 s for 50 MB): only then are the blocks read and their checksums verified.
            query = f"SELECT count(*), bit_xor(hash(t)) FROM {quoted(table)} AS t"  # noqa: S608 -- quoted
            found = con.execute(query).fetchall()[0][0]
            if found != rows:
                wrong.append(f"{table} has {found:,} rows, {rows:,} are recorded")
    except duckdb.Error as failure:
        return _broken(layout, failure)
    finally:
        con.close()
    size = layout.database.stat().st_size / 1e6
    since = f"{when.astimezone(UTC):%Y-%m-%d}"
    finding = f"{size:.0f} MB, {count(len(parts), 'table')} with rows, schema {version} of {since}; no process holds it"
    if version > latest():
        return error("DuckDB file", f"schema {version} is newer than this polypipe knows ({latest()})", "upgrade polypipe")
    if wrong:
        return error("DuckDB file", f"{finding}; {wrong[0]}", "restore a backup, or report it with this line", wrong[1:])
    if version < latest():
        return ok("DuckDB file", f"{finding}; the next writer migrates it to schema {latest()}")
    return ok("DuckDB file", finding)


def _broken(layout: Layout, failure: Exception) -> Result:
    what = " ".join(str(failure).split())
    advice = (
        f"stop polypipe, move {layout.database} and its .wal away and restore a backup; "
        "without one the next writer creates an empty database (published data stays readable until then)"
    )
    return error("DuckDB file", f"it cannot be read: {what}", advice)


def check_published(inputs: Inputs) -> Result:
    """`CURRENT.json` and every file that it names, read to the end."""
    layout = inputs.warehouse.layout
    try:
        current = read_current(layout)
    except (WarehouseError, OSError) as failure:
        return error("published tables", str(failure), "polypipe refresh rewrites it")
    if current is None:
        return skipped("published tables", NEVER)
    faults = list(_faults(layout, current))
    rows = sum(table.rows for table in current.tables.values())
    files = sum(len(table.files) for table in current.tables.values())
    age = duration(inputs.now - current.time)
    finding = f"version {current.version}, {age} old: {count(rows, 'row')} in {count(files, 'file')}"
    if faults:
        newer = read_current(layout)
        if newer is not None and newer.version != current.version:
            return unknown("published tables", "a new version was published during the check", "run doctor again")
        advice = "move a damaged file away; the next writer (polypipe refresh) rewrites missing files from polypipe.duckdb"
        return error("published tables", f"{finding}; {faults[0]}", advice, faults[1:])
    if current.time - inputs.now > FUTURE:
        what = f"{finding}: of {utc_text(current.time, seconds=True)}, which is in the future"
        advice = "our clock is behind, or was ahead then (see clock): all ages in this report are off by that amount"
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


def check_spool(inputs: Inputs) -> Iterator[Result]:
    """Batches that wait to be merged, and batches that were rejected."""
    if not inputs.warehouse.layout.spool.exists():
        yield skipped("spool", NEVER)
        return
    yield from _rendered(inputs, "spool", "spool")


def check_ages(inputs: Inputs) -> Iterator[Result]:
    """How old the universe, the snapshots, the positions and the history are."""
    if not inputs.any_data:
        for name in ("crawl", "snapshots", "positions", "history"):
            yield skipped(name, NEVER)
        return
    yield _crawl(inputs)
    if inputs.settings.wallets is None:
        for name in ("snapshots", "positions", "history"):
            yield skipped(name, "no wallets are set")
        return
    yield from _rendered(inputs, "snapshots", "snapshots")
    yield from _rendered(inputs, "positions", "positions")
    yield from _addresses(inputs)
    yield from _rendered(inputs, "history", "history days")
    yield from _rendered(inputs, "unknown days", "unproven days")


ADVICE = {
    "spool_waiting": "nothing is lost; see which process holds the DuckDB file. If none does: polypipe refresh merges them",
    "batch_rejected": "report the reason; their rows are in no table. Delete them from spool/rejected to clear this",
    "snapshot_old": "polypipe up takes them; if it is up, see logs/daemon.log",
    "source_silent": "see the network checks above",
    "positions_old": "polypipe up compares them every 5 minutes; if it is up, see logs/daemon.log",
    "unproven_days": "copy quality, fills and the gap of these days are unknown; other days are not affected",
    "history_days": ("yesterday comes at 00:17 and 06:17 UTC; older days: run `polypipe backfill`"),
}
"""Probe -> what to do when it fails."""

NOTHING_YET = {
    "snapshots": "none yet: polypipe up takes them",
    "positions": "none yet: polypipe up compares them",
    "history": "none yet: the first 30 days are filled after the first start with wallets",
}


def _rendered(inputs: Inputs, name: str, subject: str) -> Iterator[Result]:
    """The findings of a subject as one result."""
    probes = of_subjects(subject)
    found = [finding for probe in probes for finding in probe.run(inputs.health)]
    if all(finding.state != "ok" and finding.value is None for finding in found) and name in NOTHING_YET:
        yield skipped(name, NOTHING_YET[name])
        return
    bad = [finding for finding in found if finding.state == "failing"]
    if bad:
        bad.sort(key=lambda finding: finding.probe != "batch_rejected")  # lost rows first
        yield warning(name, bad[0].text, ADVICE[bad[0].probe], [finding.text for finding in bad[1:]])
    else:
        yield ok(name, found[0].text)


def _addresses(inputs: Inputs) -> Iterator[Result]:
    """Whether the address of each wallet both trades and holds; nothing before the first comparison."""
    found = BY_NAME["addresses"].run(inputs.health)
    bad = [finding.text for finding in found if finding.state == "failing"]
    if bad:
        advice = "one address can be set a wallet; figures that rest on the other one are unknown"
        yield warning("addresses", bad[0], advice, bad[1:])
    elif found[0].state == "ok":
        yield ok("addresses", found[0].text)


def _crawl(inputs: Inputs) -> Result:
    """The universe, on which all files rest, and the failures since its last complete crawl."""
    (found,) = BY_NAME["universe_old"].run(inputs.health)
    (universe,) = [crawl for crawl in inputs.health.crawls if crawl.kind == "universe"]
    failed = f"; {count(universe.incomplete, 'crawl')} failed since: {universe.error}" if universe.incomplete else ""
    if universe.observed_at is None:
        if failed:
            return error("crawl", f"none was ever complete{failed}", "see gamma above; polypipe refresh tries again")
        return skipped("crawl", "none yet")
    if found.state == "failing":
        return error("crawl", f"{found.text}{failed}", "polypipe up crawls every 10 minutes, polypipe refresh once")
    if failed:
        return warning("crawl", f"{found.text}{failed}", "nothing to do if it is the only one: the next crawl is the retry")
    return ok("crawl", found.text)
