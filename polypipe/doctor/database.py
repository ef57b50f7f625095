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
from polypipe.files import NoFileLocks
from polypipe.health.registry import BY_NAME, of_subjects
from polypipe.text import count, duration, utc_text
from polypipe.warehouse import WarehouseBusy, WarehouseError
from polypipe.warehouse.connection import quoted
from polypipe.warehouse.current import read_current
from polypipe.warehouse.damage import damaged_files, database_damage
from polypipe.warehouse.gate import gate
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import latest

GATE_SECONDS = 3.0
"""A writer holds the gate for 2 s at most."""

BACKUP_AGE = timedelta(hours=49)
"""Two nights: one may be skipped while another program holds the database."""

FUTURE = timedelta(seconds=30)
"""A time this far in the future was not written during the check: the clock was set back."""

NEVER = "nothing is stored yet"

REBUILD = (
    "the next writer rebuilds it from the published tables and keeps the damaged file in damaged/; "
    "polypipe rebuild does it now"
)


def check_database(inputs: Inputs) -> Result:
    """The live file opens, its schema is known, and its tables can be read to the end and have as many rows as recorded."""
    layout = inputs.warehouse.layout
    if not layout.database.exists():
        if layout.pointer.exists():
            what = f"{layout.database} is missing, although data was published from it"
            return error(
                "DuckDB file",
                what,
                f"{REBUILD}. If the published tables are gone too: polypipe restore FILE",
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
    except NoFileLocks as refused:
        return error("DuckDB file", refused.message, refused.hint or "")


def _open_database(layout: Layout) -> Result:
    """Opens it read-only and briefly. The caller has the gate, so that no writer of ours meets a file held by a reader."""
    import duckdb

    try:
        if damage := database_damage(layout.database):  # in another process, because it can crash the one that reads
            return _broken(layout, damage)
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


def _broken(layout: Layout, failure: object) -> Result:
    what = " ".join(str(failure).split())
    if "newer version of DuckDB" in what:
        advice = (
            "a newer DuckDB wrote it: upgrade polypipe, or run polypipe rebuild, which moves it aside and rebuilds it from "
            "the published tables"
        )
    else:
        advice = REBUILD
    return error("DuckDB file", f"it cannot be read: {what}", advice)


def check_published(inputs: Inputs) -> Result:
    """`CURRENT.json` and every file that it names, read to the end."""
    layout = inputs.warehouse.layout
    try:
        current = read_current(layout)
    except (WarehouseError, OSError) as failure:
        return error("published tables", str(failure), "the next writer restores it; polypipe rebuild does it now")
    if current is None:
        if layout.pointer_copy.exists() or next(layout.published.glob("*.parquet"), None) or _has_rows(layout):
            what = f"{layout.pointer} is missing: readers see no rows"
            return error("published tables", what, "the next writer restores it; polypipe rebuild does it now")
        return skipped("published tables", NEVER)
    faults = [f"{table}: {reason}" for table, _, reason in damaged_files(layout, current)]
    for table, entry in current.tables.items():
        if (found := sum(file.rows for file in entry.files)) != entry.rows:
            faults.append(f"{table}: {found:,} rows in its files, {entry.rows:,} expected")
    rows = sum(table.rows for table in current.tables.values())
    files = sum(len(table.files) for table in current.tables.values())
    age = duration(inputs.now - current.time)
    finding = f"version {current.version}, {age} old: {count(rows, 'row')} in {count(files, 'file')}"
    if faults:
        newer = read_current(layout)
        if newer is not None and newer.version != current.version:
            return unknown("published tables", "a new version was published during the check", "run doctor again")
        advice = "polypipe rebuild writes them again from polypipe.duckdb or a backup; so does upkeep each night"
        return error("published tables", f"{finding}; {faults[0]}", advice, faults[1:])
    if current.time - inputs.now > FUTURE:
        what = f"{finding}: of {utc_text(current.time, seconds=True)}, which is in the future"
        advice = "our clock is behind, or was ahead then (see clock): all ages in this report are off by that amount"
        return warning("published tables", what, advice)
    return ok("published tables", finding)


def _has_rows(layout: Layout) -> bool:
    """True if the DuckDB file can be opened now and has recorded published rows."""
    import duckdb

    if not layout.database.exists():
        return False
    try:
        with (
            gate(layout.lock, time.monotonic() + GATE_SECONDS),
            duckdb.connect(str(layout.database), read_only=True, config={"threads": 1}) as con,
        ):
            return bool(con.execute("SELECT count(*) FROM partitions WHERE row_count > 0").fetchall()[0][0])
    except (duckdb.Error, WarehouseBusy, NoFileLocks):  # shown by the check of the file
        return False


def check_recovery(inputs: Inputs) -> Iterator[Result]:
    """Whether the database was damaged, what came back, what is lost, and the damaged files that are kept."""
    if inputs.health.recovery is not None:
        yield from _rendered(inputs, "recovery", "database")
    directory = inputs.warehouse.layout.damaged
    kept = [path for path in directory.rglob("*") if path.is_file()] if directory.is_dir() else []
    if kept:
        size = sum(path.stat().st_size for path in kept) / 1e6
        what = f"{count(len(kept), 'damaged file')} of {size:.0f} MB in {directory}, kept for inspection"
        yield warning(
            "damaged files", what, "delete them when the tables show what you expect", [str(path) for path in kept]
        )


def check_backup(inputs: Inputs) -> Result:
    """The newest of the backups that `upkeep` writes."""
    if not inputs.settings.backups:
        return skipped("backup", "POLYPIPE_BACKUPS is 0")
    found = {path: path.stat().st_mtime for path in inputs.warehouse.layout.backups.glob("polypipe-*.tar.gz")}
    if not found:
        return skipped("backup", "none yet: polypipe up writes one at 03:47 UTC, polypipe backup now")
    newest = max(found, key=lambda path: found[path])
    age = inputs.now.timestamp() - found[newest]
    finding = f"{newest} is {duration(age)} old; {count(len(found), 'backup')} kept"
    if age > BACKUP_AGE.total_seconds():
        return warning(
            "backup", f"{finding}; limit {duration(BACKUP_AGE)}", "see the last runs of upkeep in the Dagster UI"
        )
    return ok("backup", finding)


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
    "database_damaged": "nothing to do once it is rebuilt; until then see DuckDB file above. polypipe rebuild tries again",
    "rows_lost": "polypipe up loads or computes them again, the newest days first",
    "records_lost": "they cannot be fetched again; numbers of these days are computed without them",
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
