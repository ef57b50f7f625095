"""Failed runs that a person launched: found at once, over when everything they should have made exists."""

import dagster as dg
import pytest
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME
from dagster._core.test_utils import create_run_for_test

from polypipe.alerts.dagster_manual_runs import ASSET_JOB, failed_manual_runs
from polypipe.health.records import MANUAL, FailureStreak
from polypipe.runtime.instance import open_instance
from polypipe_tests.health.support import facts, run

FILLS, GAP = dg.AssetKey("copy_fills"), dg.AssetKey("gap_attribution")
RANGE = {"dagster/asset_partition_range_start": "2026-11-01", "dagster/asset_partition_range_end": "2026-11-03"}


@pytest.fixture
def instance(tmp_path):
    with open_instance(tmp_path) as opened:
        yield opened


def fail(instance, assets, **tags):
    failed = create_run_for_test(instance, job_name=ASSET_JOB, asset_selection=assets, tags=tags)
    instance.report_engine_event("Started", failed)
    instance.report_run_failed(failed, "it was killed")


def names(instance):
    found = failed_manual_runs(instance, lambda own, run_id: "why", [FILLS, GAP])
    assert {(one.kind, one.pace, one.error) for one in found} <= {(MANUAL, "daily", "why")}
    return [one.name for one in found]


def made(instance, asset, day=None):
    instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=day))


def test_run_launched_in_the_ui_fails_until_its_assets_are_materialized(instance):
    made(instance, FILLS)
    assert names(instance) == []
    fail(instance, frozenset([FILLS, GAP]))
    fail(instance, frozenset([GAP, FILLS]))
    assert names(instance) == ["copy_fills, gap_attribution"]
    made(instance, FILLS)
    assert names(instance) == ["copy_fills, gap_attribution"]
    made(instance, GAP)  # by whichever run
    assert names(instance) == []


def test_run_of_a_backfill_fails_until_each_of_its_days_is_materialized(instance):
    for day in ("2026-11-01", "2026-11-02", "2026-11-03"):
        made(instance, FILLS, day)
    fail(instance, frozenset([FILLS]), **RANGE, **{"dagster/backfill": "b"})
    fail(instance, frozenset([FILLS]), **{"dagster/partition": "2026-11-09"})
    for day in ("2026-11-01", "2026-11-03", "2026-11-09"):
        made(instance, FILLS, day)
    assert names(instance) == ["copy_fills for 2026-11-01 to 2026-11-03"]
    made(instance, FILLS, "2026-11-02")
    assert names(instance) == []


def test_run_of_checks_alone_is_not_a_failed_asset_and_one_of_everything_is(instance):
    fail(instance, frozenset())
    assert names(instance) == []
    fail(instance, None)
    assert names(instance) == ["copy_fills, gap_attribution"]


def test_one_failed_manual_run_is_sent_at_once():
    (found,) = run("run_failed", facts(failures=[FailureStreak(MANUAL, "copy_fills", "daily", 1, "no disk")]))
    assert (found.state, found.text) == ("failing", "Manual run of copy_fills has failed: no disk")


def test_job_is_named_as_dagster_names_it():
    assert ASSET_JOB == IMPLICIT_ASSET_JOB_NAME
