"""The nightly job as Dagster runs it: it succeeds on an empty and on a filled home, and reports what it did."""

from datetime import UTC, datetime, timedelta

import pytest

from polypipe.definitions import build_defs
from polypipe.runtime.instance import open_instance
from polypipe.warehouse import Append, Warehouse
from polypipe.warehouse.gate import gate
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.warehouse.helpers import crawl, crawl_ids


def _run(settings, instance):
    result = build_defs(settings=settings).resolve_job_def("upkeep_daily").execute_in_process(instance=instance)
    (event,) = result.get_asset_materialization_events()
    (check,) = result.get_asset_check_evaluations()
    assert check.check_name == "finished"
    return {"finished": check.passed} | {name: value.value for name, value in event.materialization.metadata.items()}


@pytest.mark.slow
def test_upkeep_reports_what_it_did_on_an_empty_and_on_a_filled_home(monkeypatch):
    from polypipe.maintenance import assets as daily

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
        assert not found["finished"]
