"""The nightly job as Dagster runs it: it succeeds on an empty and on a filled home, and reports what it did."""

from datetime import UTC, datetime, timedelta

import pytest

from polypipe.definitions import build_defs
from polypipe.errors import PolypipeError
from polypipe.maintenance import assets as daily
from polypipe.maintenance import backup
from polypipe.runtime.instance import open_instance
from polypipe.warehouse import Append, Warehouse
from polypipe.warehouse.gate import gate
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.warehouse.helpers import crawl, crawl_ids
from polypipe_tests.warehouse.losses import contents, damage_data, fill, make_newer


def _run(settings, instance):
    result = build_defs(settings=settings).resolve_job_def("upkeep_daily").execute_in_process(instance=instance)
    (event,) = result.get_asset_materialization_events()
    (check,) = result.get_asset_check_evaluations()
    assert check.check_name == "finished"
    return {"finished": check.passed} | {name: value.value for name, value in event.materialization.metadata.items()}


@pytest.mark.slow
def test_upkeep_reports_what_it_did_on_an_empty_and_on_a_filled_home(monkeypatch):
    settings = settings_for(NOWHERE)
    warehouse = Warehouse(settings.home)
    with open_instance(settings.home) as instance:
        first = _run(settings, instance)
        assert "no database yet" in first["skipped"]
        assert first["finished"]  # nothing was due
        today = datetime.now(UTC)
        with warehouse.batch("x") as batch:
            rows = [crawl(f"c{day:02}", finished_at=today - timedelta(days=day)) for day in range(40)]
            batch.add("crawls", rows)
            batch.commit({"crawls": Append()})
        warehouse.merge()
        found = _run(settings, instance)
        assert found["months_merged"] >= 1
        assert found["published_files"] >= 40  # replaced files stay until no query can be reading them
        assert found["runs_removed"] == 0
        assert found["dagster_bytes"] > found["published_bytes"] > 0
        assert crawl_ids(warehouse) == sorted(row["crawl_id"] for row in rows)

        monkeypatch.setattr(daily, "GATE_WAIT", 0.1)
        with gate(warehouse.layout.lock, 0.0):
            found = _run(settings, instance)
        assert "compaction: polypipe.lock is held by pid" in found["skipped"]
        assert "backup: polypipe.lock is held by pid" in found["skipped"]
        assert not found["finished"]


@pytest.mark.slow
def test_upkeep_rebuilds_what_is_damaged_and_then_backs_up(monkeypatch):
    settings = settings_for(NOWHERE, POLYPIPE_BACKUPS="2")
    warehouse = Warehouse(settings.home)
    fill(warehouse, days=2)
    before = contents(warehouse)
    damage_data(warehouse.layout.database)
    backups = warehouse.layout.backups
    backups.mkdir()
    for night in range(3):
        (backups / f"polypipe-2026110{night}T034700Z.tar.gz").write_bytes(b"old")
    with open_instance(settings.home) as instance:
        found = _run(settings, instance)
        assert "50 rows in 4 tables came back, nothing is lost" in found["rebuilt"]
        assert contents(warehouse) == before
        assert found["backup_bytes"] > 0
        kept = sorted(path.name for path in backups.iterdir())
        assert len(kept) == 2
        assert kept[0] == "polypipe-20261102T034700Z.tar.gz"

        with monkeypatch.context() as patch:  # an archive that `restore` would refuse never gets its name
            patch.setattr(backup, "verify", lambda *_: (_ for _ in ()).throw(PolypipeError("the archive is damaged")))
            job = build_defs(settings=settings).resolve_job_def("upkeep_daily")
            result = job.execute_in_process(instance=instance, raise_on_error=False)
        assert not result.success
        assert "the archive is damaged" in result.failure_data_for_node("upkeep").user_failure_data.description
        assert sorted(path.name for path in backups.iterdir()) == kept

    without = settings_for(NOWHERE, POLYPIPE_HOME=str(settings.home), POLYPIPE_BACKUPS="0")
    left, failed = [], []
    assert daily._back_up(without, left, failed) == 0
    assert (left, failed) == ([], [])
    make_newer(warehouse.layout.database)  # nothing that writes to the warehouse is done, and the run fails
    with open_instance(settings.home) as instance:
        done, _, failed = daily.keep_up(instance, settings, warehouse)
    assert "storage format 99" in failed[0]
    assert (done["months_merged"], done["backup_bytes"]) == (0, 0)
