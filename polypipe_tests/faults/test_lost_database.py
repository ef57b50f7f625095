"""Databases and published files are damaged at random places: every row that is readable anywhere comes back."""

import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from polypipe.warehouse import Warehouse
from polypipe.warehouse.recovery import read_recovery
from polypipe_tests.faults.support import read_tables
from polypipe_tests.support import POLYPIPE
from polypipe_tests.warehouse.helpers import assert_published_is_live, write
from polypipe_tests.warehouse.losses import add_activity, contents, damage_data, fill, overwrite

pytestmark = pytest.mark.slow

ROUNDS = 20
DAYS = 8


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A home with state tables, time tables, a combined month and a backup."""
    home = tmp_path_factory.mktemp("full") / "home"
    warehouse = Warehouse(home)
    fill(warehouse, days=DAYS if request.config.getoption("chaos") else 4)
    write(warehouse, "wide", tokens=4_000, day=3)
    warehouse.merge()
    return home


def copy_of(full: Path, tmp_path: Path, number: int) -> Warehouse:
    home = tmp_path / str(number)
    shutil.copytree(full, home)
    return Warehouse(home)


def damage_randomly(path: Path, chance: random.Random) -> str:
    """Damage a file at a random place; returns how."""
    size = path.stat().st_size
    how = chance.choice(["bytes", "bytes", "page", "zeros", "cut"])
    at = chance.randrange(size)
    if how == "bytes":
        overwrite(path, at, chance.choice([1, 8, 100]))
    elif how == "page":
        overwrite(path, at // 4096 * 4096, 4096)
    else:
        content = path.read_bytes()
        path.write_bytes(
            content[:at] if how == "cut" else content[:at] + bytes(min(300_000, size - at)) + content[at + 300_000 :]
        )
    return how


def check_and_compare(wh: Warehouse, before: dict[str, tuple[int, int]], independent: bool = True) -> tuple[float, bool]:
    """Repair as a night does, store a batch, and compare every table with what was published.

    Returns the seconds of the check and whether it found damage.
    """
    began = time.monotonic()
    found = wh.check() is not None
    took = time.monotonic() - began
    assert contents(wh) == before
    batch_id = add_activity(wh, 2, rows=1)
    assert wh.merge(own=batch_id).merged == [batch_id]
    if independent:  # without polypipe's code
        seen = read_tables(wh.layout.home)
        assert seen.live is not None
        assert seen.published is not None
        assert seen.live.digest == seen.published.digest
    else:
        assert_published_is_live(wh)
    assert contents(wh)["wallet_activity"][0] == before["wallet_activity"][0] + 1
    assert wh.check() is None
    return took, found


@pytest.mark.timeout(3600)
def test_randomly_damaged_databases_come_back(chaos, figures, full, tmp_path):
    chance, slowest, met, checked = random.Random(20261201), 0.0, 0, 0
    rounds = ROUNDS if chaos else 1
    for number in range(rounds):
        wh = copy_of(full, tmp_path, number)
        before = contents(wh)
        damage_randomly(wh.layout.database, chance)
        if chance.random() < 0.5:  # a writer meets it first, or does not
            batch_id = write(wh, "met", tokens=4_000, day=DAYS)
            assert wh.merge(own=batch_id).merged == [batch_id]
            after = contents(wh)
            assert (after["crawls"][0], after["tokens"][0]) == (before["crawls"][0] + 1, 4_000)
            before |= {table: after[table] for table in ("crawls", "tokens")}
            met += read_recovery(wh.layout) is not None
        took, found = check_and_compare(wh, before, number % 5 == 0)
        slowest, checked = max(slowest, took), checked + found
        shutil.rmtree(wh.layout.home)
    held = f"every table to the row and hash; {met} found by a writer, {checked} by the check, the others hit free space"
    figures.add(11, "database damaged at a random place (bytes, pages, zeros, cut)", rounds, held, slowest)


@pytest.mark.timeout(3600)
def test_randomly_damaged_published_files_come_back(chaos, figures, full, tmp_path):
    chance, slowest = random.Random(20261202), 0.0
    rounds = ROUNDS if chaos else 1
    for number in range(rounds):
        wh = copy_of(full, tmp_path, number)
        before = contents(wh)
        for path in chance.sample(sorted(wh.layout.published.glob("*.parquet")), 3):
            damage_randomly(path, chance)
        slowest = max(slowest, check_and_compare(wh, before, number % 5 == 0)[0])
        shutil.rmtree(wh.layout.home)
    figures.add(11, "three published files damaged at random places", rounds, "every table to the row and hash", slowest)


LOSSES = {
    "`published/` removed": lambda layout: shutil.rmtree(layout.published),
    "`CURRENT.json` removed": lambda layout: layout.pointer.unlink(),
    "`published/` and `CURRENT.json` removed": lambda layout: (shutil.rmtree(layout.published), layout.pointer.unlink()),
    "`polypipe.duckdb` removed": lambda layout: layout.database.unlink(),
    "`polypipe.duckdb` and `CURRENT.json` removed": lambda layout: (layout.database.unlink(), layout.pointer.unlink()),
}


@pytest.mark.parametrize("what", LOSSES)
def test_removed_files_come_back(chaos, figures, full, tmp_path, what):
    if not chaos and what != "`polypipe.duckdb` and `CURRENT.json` removed":
        pytest.skip("polypipe_tests/warehouse/test_rebuild.py has a short version; `--chaos` runs this one")
    wh = copy_of(full, tmp_path, 0)
    before = contents(wh)
    LOSSES[what](wh.layout)
    figures.add(11, what, 1, "every table to the row and hash", check_and_compare(wh, before)[0])


@pytest.mark.timeout(3600)
def test_what_is_readable_anywhere_is_not_lost(chaos, figures, full, tmp_path):
    """The database and published files are damaged at once: each part comes from the one that still has it."""
    chance, slowest, parts = random.Random(20261203), 0.0, 0
    rounds = ROUNDS if chaos else 2
    for number in range(rounds):
        wh = copy_of(full, tmp_path, number)
        before = contents(wh)
        home = str(wh.layout.home)
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "POLYPIPE_HOME": home}
        if number % 2:  # neither has any row, but the backup has all
            subprocess.run([POLYPIPE, "backup"], env=environment, cwd=tmp_path, check=True, capture_output=True)
            damage_data(wh.layout.database)
            for path in wh.layout.published.glob("*.parquet"):
                overwrite(path, 40, 1)
        else:  # the file opens, and one block of it cannot be read
            files = sorted(wh.layout.published.glob("*.parquet"))
            size = wh.layout.database.stat().st_size
            overwrite(wh.layout.database, chance.randrange(size * 3 // 4, size - 10), 1)
            for path in chance.sample(files, len(files) // 2):
                overwrite(path, 40, 1)
        began = time.monotonic()
        done = subprocess.run(
            [POLYPIPE, "rebuild"], env=environment, cwd=tmp_path, check=False, capture_output=True, text=True
        )
        slowest = max(slowest, time.monotonic() - began)
        found = read_recovery(wh.layout)
        assert found is not None
        after = contents(wh)
        lost = {entry.table for entry in found.lost}
        if number % 2:
            assert (done.returncode, lost) == (0, set()), done.stdout
        assert {table: after[table] for table in after.keys() - lost - {"activity_days"}} == {
            table: before[table] for table in before.keys() - lost - {"activity_days"}
        }
        gone = {table: sum(entry.rows - entry.kept for entry in found.lost if entry.table == table) for table in lost}
        for table, rows in gone.items():  # what is lost is named to the row
            if table != "activity_days":
                assert after.get(table, (0, 0))[0] == before[table][0] - rows, table
        parts += sum(found.sources.values())
        assert wh.check() is None
        shutil.rmtree(wh.layout.home)
    held = f"{parts} files' rows from what was readable: file, database or backup; lost rows are named to the row"
    figures.add(11, "database and published files damaged at once", rounds, held, slowest, "only what neither had")
