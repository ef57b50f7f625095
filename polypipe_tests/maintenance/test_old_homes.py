"""Homes of earlier versions: each is opened, migrated, and shows the rows that it showed then."""

import json
from pathlib import Path

import pytest

from polypipe.maintenance.restore import restore
from polypipe.warehouse import Warehouse
from polypipe_tests.maintenance.homes.contents import contents
from polypipe_tests.maintenance.support import home_settings
from polypipe_tests.warehouse.helpers import assert_published_is_live

HOMES = sorted((Path(__file__).parent / "homes").glob("*.tar.gz"))


@pytest.mark.parametrize("archive", HOMES, ids=lambda path: path.name.removesuffix(".tar.gz"))
def test_home_of_an_earlier_version_shows_the_same_rows(archive, tmp_path):
    settings = home_settings(tmp_path / "home")
    done = restore(settings, archive, force=False)
    assert done.merged == 1  # the batch that waited
    Warehouse(settings.home).merge()
    then = json.loads(archive.with_name(archive.name.replace(".tar.gz", ".json")).read_text())
    now = contents(settings.home)
    assert {table: now["counts"].get(table) for table in then["counts"]} == then["counts"]
    for table, rows in then["rows"].items():
        known = list(rows[0])  # later versions add columns
        shown = [{name: row[name] for name in known} for row in now["rows"][table]]
        assert sorted(map(json.dumps, shown)) == sorted(map(json.dumps, rows)), table
    assert_published_is_live(Warehouse(settings.home))
