"""Storage that an older or newer Dagster wrote."""

import contextlib
import gzip
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from polypipe.errors import PolypipeError
from polypipe.runtime.instance import open_instance
from polypipe.runtime.storage_upgrade import FILES, revision, upgrade_storage

NOW = datetime(2026, 11, 30, 4, 5, 6, tzinfo=UTC)
STORAGES = sorted((Path(__file__).parent / "storages").glob("*.json.gz"))


def unpack(archive: Path, home: Path) -> Path:
    """Write the archive's SQLite files below `home`; returns Dagster's directory."""
    for file, dump in json.loads(gzip.decompress(archive.read_bytes())).items():
        path = home / "dagster" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(path)) as con:
            con.executescript(dump)
    return home / "dagster"


@pytest.fixture(scope="module")
def newest() -> Iterator[str]:
    """The revision that the installed Dagster writes."""
    with dg.instance_for_test() as instance:
        versions = instance.run_storage.alembic_version()
        assert versions is not None
        yield versions[0]


def content(directory: Path) -> dict[str, list[str]]:
    """All SQL of each file, which is equal for equal content."""
    found = {}
    for file in FILES:
        with contextlib.closing(sqlite3.connect(directory / file)) as con:
            found[file] = list(con.iterdump())
    return found


@pytest.mark.parametrize("archive", STORAGES, ids=lambda path: path.name.removesuffix(".json.gz"))
def test_storage_of_an_older_dagster_is_copied_and_migrated(archive, tmp_path, newest):
    directory = unpack(archive, tmp_path)
    before = content(directory)
    assert revision(directory / FILES[0]) is None  # those versions did not record it
    with open_instance(tmp_path) as instance:
        done = upgrade_storage(instance, directory, NOW)
        copies = directory / "before-upgrade-20261130T040506Z"
        assert done == f"migrated Dagster's storage to revision {newest}; a copy of before is in {copies}"
        key = dg.AssetKey("wallet_activity")
        assert instance.get_materialized_partitions(key) == {"2026-01-05", "2026-01-06"}
        (failed,) = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
        assert failed.job_name == "crawl"
        assert {revision(directory / file) for file in FILES} == {newest}
        assert upgrade_storage(instance, directory, NOW) == ""
    assert content(copies) == before


def test_new_storage_is_stamped_and_not_migrated(tmp_path, newest):
    with open_instance(tmp_path) as instance:
        assert {revision(tmp_path / "dagster" / file) for file in FILES} == {newest}
        assert upgrade_storage(instance, tmp_path / "dagster", NOW) == ""
    assert not list((tmp_path / "dagster").glob("before-upgrade-*"))


def test_failed_migration_leaves_the_storage_as_it_was(tmp_path, monkeypatch):
    directory = unpack(STORAGES[0], tmp_path)
    before = content(directory)

    def fails(instance: dg.DagsterInstance) -> None:
        with contextlib.closing(sqlite3.connect(directory / "history/runs.db")) as con:
            con.executescript("DELETE FROM runs; DROP TABLE run_tags; UPDATE alembic_version SET version_num = 'half'")
        raise sqlite3.OperationalError("database or disk is full\nmore")

    monkeypatch.setattr(dg.DagsterInstance, "upgrade", fails)
    with (
        open_instance(tmp_path) as instance,
        pytest.raises(PolypipeError, match=r"^its migration failed and nothing was changed: database or disk is full$"),
    ):
        upgrade_storage(instance, directory, NOW)
    assert content(directory) == before


def test_storage_of_a_newer_dagster_is_refused(tmp_path):
    directory = unpack(STORAGES[0], tmp_path)
    with contextlib.closing(sqlite3.connect(directory / "history/runs.db")) as con, con:
        con.execute("UPDATE alembic_version SET version_num = 'abcdef012345'")
    before = content(directory)
    with open_instance(tmp_path) as instance, pytest.raises(PolypipeError, match=r"newer Dagster wrote it .*abcdef012345"):
        upgrade_storage(instance, directory, NOW)
    assert content(directory) == before
