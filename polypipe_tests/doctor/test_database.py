"""The DuckDB file, what is published, what waits, and how old the data is."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time as time_module
from datetime import UTC, datetime, time, timedelta

import duckdb
import pytest

from polypipe.doctor import database as stored
from polypipe.health.records import ComparedPositions, CrawlStreak, NewestSnapshot
from polypipe.settings import Settings
from polypipe.warehouse import Append, Warehouse
from polypipe.warehouse.connection import open_memory
from polypipe.warehouse.migrate import migrate
from polypipe_tests.attribution.tables import insert
from polypipe_tests.conftest import settings_for
from polypipe_tests.doctor.support import inputs_of, results
from polypipe_tests.warehouse import helpers, losses

NOWHERE = "http://127.0.0.1:9"
DATA = ("DuckDB file", "published tables", "spool", "ages")


@pytest.fixture
def here() -> Settings:
    return settings_for(NOWHERE)


@pytest.fixture
def filled(here) -> Warehouse:
    warehouse = Warehouse(here.home)
    helpers.write(warehouse, "c1")
    warehouse.merge()
    return warehouse


def look(settings, *names):
    return {name: (result.status, result.finding) for name, result in results(inputs_of(settings), *names).items()}


def test_before_the_first_start(here):
    assert {status for status, _ in look(here, *DATA).values()} == {"skipped"}
    assert not here.home.exists()  # and nothing was made


def test_a_healthy_home(here, filled):
    found = look(here, "DuckDB file", "published tables", "spool")
    assert {status for status, _ in found.values()} == {"ok"}
    assert "no process holds it" in found["DuckDB file"][1]


def test_a_damaged_published_file_comes_back_as_the_advice_says(here, filled):
    """The file of a closed day: nothing else would ever write it again."""
    helpers.write(filled, "c2", tokens=0, day=1)
    filled.merge()
    (file,) = filled.layout.published.glob("crawls.2026-11-20.*")
    content = bytearray(file.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)  # not the end, where the number of rows is
    file.write_bytes(content)
    found = results(inputs_of(here), "published tables")["published tables"]
    assert (found.status, f"crawls: published/{file.name} is damaged" in found.finding) == ("error", True), found
    assert found.advice.startswith("polypipe rebuild writes them again")
    filled.merge()
    assert results(inputs_of(here), "published tables")["published tables"].status == "error"
    filled.check(by_hand=True)
    assert results(inputs_of(here), "published tables")["published tables"].status == "ok"
    helpers.assert_published_is_live(filled)
    kept = results(inputs_of(here), "recovery")["damaged files"]
    assert (kept.status, "1 damaged file" in kept.finding) == ("warning", True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lose", "name", "words", "advice"),
    [
        (lambda layout: layout.database.unlink(), "DuckDB file", "is missing", "the next writer rebuilds it"),
        (
            lambda layout: losses.overwrite(layout.database, 0, 16),
            "DuckDB file",
            "cannot be read",
            "polypipe rebuild does it",
        ),
        (lambda layout: cut_log(layout), "DuckDB file", "replaying WAL", "polypipe rebuild does it"),
        (lambda layout: losses.make_newer(layout.database), "DuckDB file", "version number 99", "upgrade polypipe, or run"),
        (lambda layout: shutil.rmtree(layout.published), "published tables", "is missing", "polypipe rebuild writes them"),
        (lambda layout: layout.pointer.unlink(), "published tables", "readers see no rows", "polypipe rebuild does it now"),
        (
            lambda layout: layout.pointer.write_text("{"),
            "published tables",
            "cannot be read",
            "polypipe rebuild does it now",
        ),
        (lambda layout: remove_all(layout), "published tables", "readers see no rows", "polypipe rebuild does it now"),
    ],
)
def test_what_the_advice_says_brings_everything_back(here, filled, lose, name, words, advice):
    before = losses.contents(filled)
    lose(filled.layout)
    found = results(inputs_of(here), name)[name]
    assert (found.status, words in found.finding) == ("error", True), found
    assert advice in found.advice
    filled.check(by_hand=True)  # polypipe rebuild
    filled.merge()
    assert losses.contents(filled) == before
    assert {status for status, _ in look(here, "DuckDB file", "published tables").values()} == {"ok"}
    helpers.assert_published_is_live(filled)


def cut_log(layout):
    losses.overwrite(losses.leave_log(layout.database, "DELETE FROM crawls"), 60, 8)


def remove_all(layout):
    shutil.rmtree(layout.published)
    layout.pointer.unlink()


def test_a_home_without_file_locks_is_an_error_with_the_remedy(here, filled, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", no_locks)
        found = results(inputs_of(here), "DuckDB file")["DuckDB file"]
    assert (found.status, "has no working file locks" in found.finding) == ("error", True)
    assert found.advice == "set POLYPIPE_HOME to a directory on a local disk"


def test_the_newest_backup_is_shown_with_its_age(here, filled):
    assert look(here, "backup")["backup"][0] == "skipped"
    filled.layout.backups.mkdir()
    (filled.layout.backups / "polypipe-20261120T034700Z.tar.gz").write_bytes(b"")
    assert look(here, "backup")["backup"][0] == "ok"
    late = inputs_of(here, now=datetime.now(UTC) + timedelta(hours=50))
    assert results(late, "backup")["backup"].status == "warning"


def test_what_is_of_the_future_is_a_clock_that_went_back(here, filled):
    early = inputs_of(here, now=datetime.now(UTC) - timedelta(hours=2))
    result = results(early, "published tables")["published tables"]
    assert (result.status, "which is in the future" in result.finding) == ("warning", True)
    assert "clock" in result.advice


def test_looking_changes_nothing(here, filled):
    def state():
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_size)
            for path in here.home.rglob("*")
            if path.name != "polypipe.lock"  # says who holds the gate, and is empty again
        }

    before = state()
    look(here, *DATA)
    assert state() == before
    assert filled.layout.lock.read_bytes() == b""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "name", "words"),
    [
        (lambda layout: layout.database.write_bytes(b"not a database" * 1000), "DuckDB file", "it cannot be read"),
        (lambda layout: wear(layout), "DuckDB file", "it cannot be read"),
        (lambda layout: layout.database.unlink(), "DuckDB file", "is missing, although data was published"),
        (lambda layout: layout.pointer.write_text("{torn"), "published tables", "cannot be read"),
        (lambda layout: next(layout.published.glob("tokens*")).unlink(), "published tables", "is missing"),
        (lambda layout: next(layout.published.glob("tokens*")).write_bytes(b"PAR1"), "published tables", "tokens:"),
        (lambda layout: shorten(layout), "published tables", "tokens: 10 rows in its files, 11 expected"),
    ],
)
def test_damage_is_an_error_in_one_line(here, filled, damage, name, words):
    damage(filled.layout)
    status, finding = look(here, name)[name]
    assert (status, words in finding) == ("error", True), finding
    assert "\n" not in finding


def wear(layout):
    """A value of a row was changed on the disk: the file opens, and its rows can be counted."""
    content = bytearray(layout.database.read_bytes())
    place = content.index(b"atp-player-")
    content[place : place + 10] = b"something "
    layout.database.write_bytes(content)
    with duckdb.connect(str(layout.database), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM tokens").fetchall() == [(10,)]


def shorten(layout):
    """The pointer promises a row more than the file has."""
    current = json.loads(layout.pointer.read_bytes())
    current["tables"]["tokens"]["rows"] += 1
    layout.pointer.write_text(json.dumps(current))


def test_rows_that_are_not_accounted_for(here, filled):
    with duckdb.connect(str(filled.layout.database)) as con:
        con.execute("DELETE FROM tokens WHERE token_id = (SELECT min(token_id) FROM tokens)")
    status, finding = look(here, "DuckDB file")["DuckDB file"]
    assert (status, "tokens has 9 rows, 10 are recorded" in finding) == ("error", True)


def test_a_newer_schema(here, filled):
    with duckdb.connect(str(filled.layout.database)) as con:
        con.execute("INSERT INTO schema_migrations VALUES (9999, 'future', now())")
    status, finding = look(here, "DuckDB file")["DuckDB file"]
    assert (status, "schema 9999 is newer" in finding) == ("error", True)


def held(code: str, *arguments: str) -> "subprocess.Popen[str]":
    """A process that has run `code` and waits to be told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys\n{code}\nprint('held', flush=True)\nsys.stdin.read()", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_who_has_the_file_open_by_hand(here, filled):
    process = held("import duckdb\ncon = duckdb.connect(sys.argv[1])", str(filled.layout.database))
    try:
        status, finding = look(here, "DuckDB file")["DuckDB file"]
    finally:
        process.communicate()
    assert (status, f"pid {process.pid} (" in finding) == ("warning", True), finding


def test_who_holds_the_gate(here, filled, monkeypatch):
    monkeypatch.setattr(stored, "GATE_SECONDS", 0.1)
    code = (
        "import time\nfrom pathlib import Path\nfrom polypipe.warehouse.gate import gate\n"
        "held = gate(Path(sys.argv[1]), time.monotonic() + 5)\nheld.__enter__()"
    )
    process = held(code, str(filled.layout.lock))
    try:
        status, finding = look(here, "DuckDB file")["DuckDB file"]
    finally:
        process.communicate()
    assert (status, f"holds it: pid {process.pid}" in finding) == ("warning", True), finding
    assert "since" in finding


def test_what_waits_and_what_was_set_aside(here, filled):
    batch = helpers.write(filled, "c2")
    status, finding = look(here, "spool")["spool"]
    assert (status, "1 batch is waiting" in finding) == ("ok", True)
    long_ago = time_module.time() - 600
    os.utime(filled.layout.spool / batch, (long_ago, long_ago))
    assert look(here, "spool")["spool"][0] == "warning"
    layout = filled.layout
    layout.rejected.mkdir()
    (layout.spool / batch).rename(layout.rejected / batch)
    (layout.rejected / batch / "reason.txt").write_text("a \x1b[31mred\x1b[0m reason\n")
    status, finding = look(here, "spool")["spool"]
    assert (status, "was rejected" in finding, "a red reason" in finding) == ("warning", True, True)


def test_a_home_that_becomes_a_file(here):
    """After the settings, which refuse one, were loaded."""
    here.home.write_text("")
    found = look(here, "DuckDB file", "published tables", "spool", "ages", "home", "disk", "polypipe up")
    assert found["home"][0] == "error"
    assert all("Traceback" not in finding for _, finding in found.values())


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WALLETS = {"POLYPIPE_COPIER_ADDRESS": "1" * 40, "POLYPIPE_WHALE_ADDRESS": "2" * 40}


def ages(settings, **known):
    """The results about ages, from these inputs of health."""
    (settings.home / "spool").mkdir(parents=True, exist_ok=True)  # so that there is data
    found = inputs_of(settings, now=NOW)
    vars(found.health).update({"crawls": [CrawlStreak("universe", 0, "", None, 0)], "snapshot": None, "compared_at": None})
    vars(found.health).update(known)
    return results(found, "ages")


@pytest.mark.parametrize(
    ("age", "incomplete", "status"),
    [
        (None, 0, "skipped"),
        (None, 1, "error"),
        (timedelta(minutes=10), 0, "ok"),
        (timedelta(minutes=10), 1, "warning"),
        (timedelta(hours=1), 0, "error"),
        (timedelta(hours=1), 1, "error"),
    ],
)
def test_stale_universe_is_an_error_and_a_failed_crawl_is_named(here, age, incomplete, status):
    crawl = CrawlStreak("universe", incomplete, "HTTP 503" * incomplete, None if age is None else NOW - age, 0)
    result = ages(here, crawls=[crawl])["crawl"]
    assert result.status == status
    assert ("1 crawl failed since: HTTP 503" in result.finding) == bool(incomplete)


@pytest.mark.parametrize(
    ("wallets", "age", "status"),
    [
        ({}, timedelta(0), "skipped"),
        (WALLETS, None, "skipped"),
        (WALLETS, timedelta(minutes=2), "ok"),
        (WALLETS, timedelta(minutes=6), "warning"),
        (WALLETS | {"POLYPIPE_SNAPSHOT_SECONDS": "600"}, timedelta(minutes=20), "ok"),
    ],
)
def test_snapshot_older_than_its_limit_is_a_warning(wallets, age, status):
    snapshot = None if age is None else NewestSnapshot(NOW - age, {}, {}, None, None)
    assert ages(settings_for(NOWHERE, **wallets), snapshot=snapshot)["snapshots"].status == status


@pytest.mark.parametrize(("age", "status"), [(None, "skipped"), (19, "ok"), (21, "warning")])
def test_positions_older_than_their_limit_are_a_warning(age, status):
    compared_at = None if age is None else NOW - timedelta(minutes=age)
    assert ages(settings_for(NOWHERE, **WALLETS), compared_at=compared_at)["positions"].status == status


@pytest.mark.parametrize(
    ("notes", "status", "says"),
    [
        ({}, "ok", "match"),
        ({"whale": "the whale bought 2 tokens that its address does not hold"}, "warning", "bought 2 tokens"),
        ({"copier_fills": "the copier holds 3 positions that its address never bought"}, "warning", "never bought"),
        ({"resolved": "the whale holds more resolved positions than are read"}, "ok", "match"),
    ],
)
def test_wallet_that_trades_from_one_address_and_holds_in_another_is_a_warning(notes, status, says):
    result = ages(settings_for(NOWHERE, **WALLETS), positions=ComparedPositions(NOW, [], notes))["addresses"]
    assert result.status == status
    assert says in result.finding
    assert (status == "ok") or "one address can be set a wallet" in result.advice


def test_addresses_are_not_judged_before_the_first_comparison():
    assert "addresses" not in ages(settings_for(NOWHERE, **WALLETS), positions=None)


def test_history_names_the_days_that_are_missing():
    settings = settings_for(NOWHERE, POLYPIPE_HISTORY_START="2026-11-10", **WALLETS)
    both = [settings.copier_address, settings.whale_address]
    days = [datetime.combine(NOW.date() - timedelta(days=n), time(), UTC) for n in range(1, 14)]
    known = {(wallet, day) for wallet in both for day in days}

    def history(stored, settings=settings):
        with open_memory() as con:
            migrate(con)
            for wallet, day in stored:
                insert(con, "activity_days", wallet=wallet, day=day, activities=1, read_at=day)
            return ages(settings, con=con)["history"]

    assert history(known).status == "ok"
    result = history(known - {(both[0], days[0]), (both[1], days[3])})
    assert result.status == "warning"
    assert "2 of the last 13 days" in result.finding
    assert "2026-11-19 to 2026-11-22" in result.finding
    assert history(set()).status == "skipped"
    assert history(known, settings_for(NOWHERE)).status == "skipped"


def test_ages_are_read_from_the_tables(here):
    warehouse = Warehouse(here.home)
    now = datetime.now(UTC)
    crawls = [
        helpers.crawl("c1", started_at=now - timedelta(minutes=5)) | {"finished_at": now - timedelta(minutes=4)},
        helpers.crawl("c2", complete=False, error="HTTP \x1b[2J503") | {"finished_at": now},
    ]
    with warehouse.batch("crawls") as batch:
        batch.add("crawls", crawls)
        batch.commit({"crawls": Append()})
    result = results(inputs_of(here), "ages")["crawl"]
    assert result.status == "warning"
    assert "1 crawl failed since: HTTP 503" in result.finding
    assert list((here.home / "spool").iterdir())  # still there: reading merges nothing
