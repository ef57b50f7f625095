"""The nightly job as Dagster runs it: it succeeds on an empty home and on a busy one, and tells what it did."""

from datetime import UTC, datetime, timedelta

from polypipe.definitions import build_defs
from polypipe.runtime.instance import open_instance
from polypipe.warehouse import Append, Warehouse
from polypipe.warehouse.gate import gate
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.warehouse.helpers import crawl, crawl_ids


def _run(settings, instance):
    result = build_defs(settings=settings).resolve_job_def("upkeep_daily").execute_in_process(instance=instance)
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_it_keeps_an_empty_and_a_filled_home(monkeypatch):
    from polypipe.maintenance import assets as daily

    settings = settings_for(NOWHERE)
    warehouse = Warehouse(settings.home)
    with open_instance(settings.home) as instance:
        assert "no database yet" in _run(settings, instance)["skipped"]
        today = datetime.now(UTC)
        with warehouse.batch("x") as batch:
            rows = [crawl(f"c{day:02}", finished_at=today - timedelta(days=day)) for day in range(40)]
            batch.add("crawls", rows)
            batch.commit({"crawls": Append()})
        warehouse.merge()
        told = _run(settings, instance)
        assert told["months_merged"] >= 1
        assert told["published_files"] >= 40  # the old ones stay until no query can be reading them
        assert told["runs_removed"] == 0
        assert told["dagster_bytes"] > told["published_bytes"] > 0
        assert crawl_ids(warehouse) == sorted(row["crawl_id"] for row in rows)

        monkeypatch.setattr(daily, "GATE_WAIT", 0.1)
        with gate(warehouse.layout.lock, 0.0):
            told = _run(settings, instance)
        assert "compaction: polypipe.lock is held by pid" in told["skipped"]
