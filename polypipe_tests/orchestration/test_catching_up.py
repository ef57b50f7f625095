"""Sensors that start a job at once after a start or an outage, on a real instance."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from polypipe.caches.registry import CACHES
from polypipe.definitions import build_defs
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.warehouse import Append
from polypipe.warehouse.recovery import Lost, Recovery, write_recovery
from polypipe_tests.conftest import settings_for

WALLETS = {"POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS, "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS}


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def tick(name, instance, settings, warehouse):
    """The requested jobs with their tags, and the message of a skipped tick."""
    defs = build_defs(settings=settings, warehouse=warehouse)
    resources = {"settings": settings, "warehouse": warehouse}
    sensor = defs.get_repository_def().get_sensor_def(name)
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        data = sensor.evaluate_tick(context)
    return [(request.job_name or sensor.job_name, request.tags) for request in data.run_requests or []], data.skip_message


def names(asked):
    return [name for name, _ in asked[0]]


def put(warehouse, table, **row):
    with warehouse.batch("test") as batch:
        batch.add(table, [row])
        batch.commit({table: Append()})


def put_crawl(warehouse, age):
    at = datetime.now(UTC) - age
    put(warehouse, "crawls", crawl_id="c", kind="universe", started_at=at, finished_at=at, complete=True)


def put_publications(warehouse, specs, age=timedelta(0)):
    for spec in specs:
        at = datetime.now(UTC) - age
        put(warehouse, "publications", publication_id=spec.asset, file=spec.file, time=at, accepted=True)


def test_crawl_is_requested_first(instance, settings, warehouse):
    assert names(tick("catch_up", instance, settings, warehouse)) == ["crawl"]


def test_nothing_is_requested_while_every_file_is_fresh(instance, settings, warehouse):
    put_crawl(warehouse, timedelta(minutes=1))
    put_publications(warehouse, CACHES)
    asked = tick("catch_up", instance, settings, warehouse)
    assert names(asked) == []
    assert asked[1] == "every file is fresh enough"


def test_stale_universe_requests_a_crawl(instance, settings, warehouse):
    put_crawl(warehouse, timedelta(minutes=21))
    put_publications(warehouse, CACHES)
    assert names(tick("catch_up", instance, settings, warehouse)) == ["crawl"]


def test_stale_file_requests_its_own_job(instance, settings, warehouse):
    put_crawl(warehouse, timedelta(minutes=1))
    put_publications(warehouse, [spec for spec in CACHES if spec.cron is None])
    assert names(tick("catch_up", instance, settings, warehouse)) == ["live_cache_refresh"]
    put_publications(warehouse, [spec for spec in CACHES if spec.cron], timedelta(minutes=6))
    assert names(tick("catch_up", instance, settings, warehouse)) == ["live_cache_refresh"]


@pytest.mark.slow
def test_running_or_just_failed_job_is_not_requested_again(instance, settings, warehouse):
    job = build_defs(settings=settings).resolve_job_def("crawl")
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    asked = tick("catch_up", instance, settings, warehouse)
    assert names(asked) == []
    assert asked[1] == "waiting for crawl"
    instance.report_run_failed(run)
    assert names(tick("catch_up", instance, settings, warehouse)) == []


def test_positions_are_requested_at_once_but_only_with_wallets(sim, instance, settings, warehouse):
    asked = tick("first_positions", instance, settings, warehouse)
    assert names(asked) == []
    assert "POLYPIPE_COPIER_ADDRESS" in asked[1]
    with_wallets = settings_for(sim.url, **WALLETS)
    assert names(tick("first_positions", instance, with_wallets, warehouse)) == ["positions_refresh"]


def test_last_30_days_of_history_are_requested_once(sim, instance, warehouse):
    settings = settings_for(sim.url, **WALLETS)
    ((job, tags),), _ = tick("first_history", instance, settings, warehouse)
    today = datetime.now(UTC).date()
    assert job == "history"
    assert tags["dagster/asset_partition_range_start"] == str(today - timedelta(days=30))
    assert tags["dagster/asset_partition_range_end"] == str(today - timedelta(days=1))
    filled = dg.AssetMaterialization("copy_quality_daily", partition=str(today - timedelta(days=1)))
    instance.report_runless_asset_event(filled)
    asked = tick("first_history", instance, settings, warehouse)
    assert names(asked) == []
    assert asked[1] == "history was loaded before, and no day of it is lost"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sensor", "job", "table", "asset"),
    [
        ("first_history", "history", "wallet_activity", "copy_quality_daily"),
        ("first_attribution", "attribution", "copy_fills", "gap_attribution"),
    ],
)
def test_days_that_were_lost_with_the_database_are_requested_until_a_run_has_loaded_them(
    sim, instance, warehouse, sensor, job, table, asset
):
    settings = settings_for(sim.url, **WALLETS)
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=n) for n in range(60, 0, -1)]
    for day in days:
        instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=str(day)))
    assert names(tick(sensor, instance, settings, warehouse)) == []

    now = datetime.now(UTC)
    lost = [Lost(table, 3, "damaged", now, day, day) for day in (days[5], days[20], days[21])]
    lost.append(Lost("snapshots", 3, "damaged", now, days[30], days[30]))  # no job can load these again
    write_recovery(warehouse.layout, Recovery(now, "damaged", healed_at=now, lost=lost))

    def asked():
        ((name, tags),), _ = tick(sensor, instance, settings, warehouse)
        return name, tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"]

    assert asked() == (job, str(days[20]), str(days[21]))  # the newest, without the days between
    definition = build_defs(settings=settings).resolve_job_def(job)
    tags = {"dagster/asset_partition_range_start": str(days[20]), "dagster/asset_partition_range_end": str(days[21])}
    instance.create_run_for_job(definition, tags=tags, status=dg.DagsterRunStatus.SUCCESS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polypipe.orchestration.scheduling.tried_lately", lambda *_: False)
        assert asked() == (job, str(days[5]), str(days[5]))
        tags = {name: str(days[5]) for name in tags}
        instance.create_run_for_job(definition, tags=tags, status=dg.DagsterRunStatus.FAILURE)
        assert asked() == (job, str(days[5]), str(days[5]))
        instance.create_run_for_job(definition, tags=tags, status=dg.DagsterRunStatus.SUCCESS)
        assert names(tick(sensor, instance, settings, warehouse)) == []

        # A table of one file loses all days: the newest ones are loaded first.
        later = datetime.now(UTC)
        everything = Lost("activity_days" if job == "history" else "gap_attribution", 90, "damaged", later)
        write_recovery(warehouse.layout, Recovery(later, "damaged", healed_at=later, lost=[everything]))
        assert asked() == (job, str(days[30]), str(days[59]))
