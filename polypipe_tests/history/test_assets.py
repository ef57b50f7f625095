"""The assets of history in Dagster: partitions and ranges, metadata by day, checks, schedule."""

import json
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.definitions import build_defs
from polypipe.health.history import due_day
from polypipe.history.assets import COPY_QUALITY, DAYS_A_RUN, WALLET_ACTIVITY, WALLET_PNL, history_assets
from polypipe.history.automation import REREAD, due
from polypipe.orchestration.daily import RANGE_END, RANGE_START, daily_partitions
from polypipe.runtime.instance import open_instance
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.warehouse import Append, Warehouse
from polypipe_tests.conftest import settings_for
from polypipe_tests.divergence.support import rows
from polypipe_tests.health.support import checks_of
from polypipe_tests.history.support import DAY, activity, asked, midnight, points

HISTORY_CHECKS = checks_of("wallet_pnl", "wallet_activity", "copy_quality_daily")

pytestmark = pytest.mark.filterwarnings("ignore:Asset job .* varying BackfillPolicies")


def yesterday() -> date:
    """A function, because the session may pass midnight."""
    return (datetime.now(UTC) - DAY).date()


def materialize(settings, warehouse, polymarket, first, last, instance=None, raise_on_error=True, extra=(), **more):
    """One run over the days from first to last, both included."""
    return dg.materialize(
        [*history_assets(daily_partitions(settings)), *extra],
        resources={"settings": settings, "warehouse": warehouse, "polymarket": polymarket},
        tags={RANGE_START: str(first), RANGE_END: str(last)},
        instance=instance,
        raise_on_error=raise_on_error,
        **more,
    )


def quality(warehouse):
    return rows(warehouse, "SELECT * FROM copy_quality_daily ORDER BY ALL")


def labels(result, key, partition=None):
    """Metadata of the asset's materialization, of one partition if named."""
    events = result.asset_materializations_for_node(key.to_user_string())
    return {
        name: value.value
        for event in events
        if partition is None or event.partition == partition
        for name, value in event.metadata.items()
    }


@pytest.mark.slow
def test_a_range_takes_one_pass_and_equals_its_days(sim, settings, warehouse, polymarket, tmp_path) -> None:
    first, last = date(2026, 10, 5), date(2026, 10, 8)
    materialize(settings, warehouse, polymarket, first, last)
    assert asked(sim, "/user-pnl") <= 4
    everything = (points(warehouse), activity(warehouse), quality(warehouse))
    assert len(everything[0]) == 2 * (4 * 24 + 1)
    assert len(everything[2]) == 4 * 3
    materialize(settings, warehouse, polymarket, first, last)
    assert (points(warehouse), activity(warehouse), quality(warehouse)) == everything
    other = Warehouse(tmp_path / "other")
    for n in (3, 0, 2, 1):
        day = first + n * DAY
        materialize(settings, other, polymarket, day, day)
    assert (points(other), activity(other), quality(other)) == everything


@pytest.mark.slow
def test_each_partition_has_its_own_numbers(settings, warehouse, polymarket) -> None:
    result = materialize(settings, warehouse, polymarket, date(2026, 10, 5), date(2026, 10, 7))
    for key in ("2026-10-05", "2026-10-06", "2026-10-07"):
        assert labels(result, WALLET_PNL, key) | {
            "dagster/partition_row_count": 48,
            "copier_points": 24,
            "whale_points": 24,
            "fidelity": "1h",
        } == labels(result, WALLET_PNL, key)
        stored = rows(warehouse, f"SELECT count(*) FROM wallet_activity WHERE day = '{key}'")[0][0]
        assert labels(result, WALLET_ACTIVITY, key)["dagster/partition_row_count"] == stored
        numbers = labels(result, COPY_QUALITY, key)
        gap, whale = rows(
            warehouse,
            f"SELECT gap, whale_pnl FROM copy_quality_daily WHERE window_days = 1 AND day = '{key} 00:00:00+00'",
        )[0]
        assert (numbers["gap"], numbers["whale_pnl"]) == (gap, whale)
        assert numbers["dagster/partition_row_count"] == 3
        assert numbers["source"] == "reconstructed, hourly"
        assert "gap_30d" not in numbers  # unknown: no number, and not zero
    assert len({labels(result, COPY_QUALITY, f"2026-10-0{n}")["gap"] for n in (5, 6, 7)}) == 3


def test_days_with_snapshots_are_recorded(settings, warehouse, polymarket) -> None:
    snapshot = {
        "id": 1,
        "timestamp": midnight("2026-10-06") + timedelta(hours=5),
        "user1_address": COPIER_ADDRESS,
        "user2_address": WHALE_ADDRESS,
        "user1_value": 900.0,
        "scaling_ratio": 0.07,
        "reasons": "{}",
        "origin": "polypipe",
    }
    with warehouse.batch("snapshot") as batch:
        batch.add("snapshots", [snapshot])
        batch.commit({"snapshots": Append()})
    result = materialize(settings, warehouse, polymarket, date(2026, 10, 5), date(2026, 10, 6))
    assert labels(result, COPY_QUALITY, "2026-10-05")["source"] == "reconstructed, hourly"
    assert labels(result, COPY_QUALITY, "2026-10-06")["source"] == "recorded"


@pytest.mark.parametrize("missing", ["POLYPIPE_COPIER_ADDRESS", "POLYPIPE_WHALE_ADDRESS"])
def test_a_run_without_a_wallet_fails_with_the_setting_to_set(sim, warehouse, polymarket, missing) -> None:
    other = {"POLYPIPE_COPIER_ADDRESS", "POLYPIPE_WHALE_ADDRESS"} - {missing}
    settings = settings_for(sim.url, **dict.fromkeys(other, COPIER_ADDRESS), POLYPIPE_HISTORY_START="2026-10-01")
    result = materialize(settings, warehouse, polymarket, "2026-10-05", "2026-10-06", raise_on_error=False)
    assert not result.success
    failures = [event.event_specific_data.user_failure_data for event in result.get_step_failure_events()]
    for failure in failures:
        assert failure.description.count("\n") == 0
        assert f"set {missing}" in failure.description


@pytest.mark.slow
def test_a_failed_page_fails_its_asset_only(sim, settings, warehouse, polymarket) -> None:
    sim.faults.add("html", "/activity", query={"user": WHALE_ADDRESS})
    result = materialize(settings, warehouse, polymarket, "2026-10-05", "2026-10-06", raise_on_error=False)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert failure.step_key == "wallet_activity"
    assert "these days were not stored" in failure.event_specific_data.user_failure_data.description
    assert activity(warehouse) == []
    assert len(quality(warehouse)) == 6  # depends on the PnL alone


def test_copy_quality_without_pnl_fails_with_the_days_and_stores_nothing(settings, warehouse, polymarket) -> None:
    only = {"selection": [COPY_QUALITY], "raise_on_error": False}
    result = materialize(settings, warehouse, polymarket, "2026-09-20", "2026-11-18", **only)
    (failure,) = result.get_step_failure_events()
    description = failure.event_specific_data.user_failure_data.description
    assert "wallet_pnl is missing for 60 days: 2026-09-20 to 2026-11-18; run `polypipe backfill" in description
    assert quality(warehouse) == []


def test_days_that_were_read_and_have_no_points_are_computed_as_unknown(sim, settings, warehouse, polymarket) -> None:
    sim.faults.add("empty_page", "/user-pnl")
    result = materialize(settings, warehouse, polymarket, "2026-10-05", "2026-10-05")
    assert result.success
    assert rows(warehouse, "SELECT count(*) FROM copy_quality_daily WHERE gap IS NULL") == [(3,)]


def test_an_empty_series_of_one_wallet_gives_a_null_with_its_reason(sim, settings, warehouse, polymarket) -> None:
    sim.faults.add("empty_page", "/user-pnl", query={"user_address": COPIER_ADDRESS})
    result = materialize(settings, warehouse, polymarket, "2026-10-05", "2026-10-05")
    assert labels(result, WALLET_PNL, "2026-10-05")["copier_points"] == 0
    ((copier, whale, reasons),) = rows(
        warehouse, "SELECT copier_pnl, whale_pnl, reasons FROM copy_quality_daily WHERE window_days = 1"
    )
    assert copier is None
    assert whale is not None
    assert json.loads(reasons)["copier_pnl"] == "the copier has no PnL points in the window"


def test_assets_have_their_backfill_policy_pool_and_partitions(settings) -> None:
    graph = build_defs(settings=settings).resolve_asset_graph()
    for key, size in ((WALLET_PNL, DAYS_A_RUN), (WALLET_ACTIVITY, DAYS_A_RUN), (COPY_QUALITY, None)):
        node = graph.get(key)
        assert node.backfill_policy.max_partitions_per_run == size
        assert node.pools == {"duckdb_write"}
        assert node.group_name == "history"
        assert node.freshness_policy is not None
        keys = node.partitions_def.get_partition_keys()
        assert (keys[0], keys[-1]) == ("2026-06-01", str(yesterday()))
    assert graph.get(COPY_QUALITY).parent_keys == {WALLET_PNL}


# Checks


def verdicts(settings, warehouse, polymarket, first, last):
    instance = dg.DagsterInstance.ephemeral()
    result = materialize(settings, warehouse, polymarket, first, last, instance, extra=HISTORY_CHECKS)
    return {
        (e.asset_key.to_user_string(), e.check_name): (e.passed, e.description)
        for e in result.get_asset_check_evaluations()
    }


def test_every_check_passes_after_the_last_days_are_loaded(settings, warehouse, polymarket) -> None:
    last = yesterday()
    found = verdicts(settings, warehouse, polymarket, last - 2 * DAY, last)
    assert len(found) == 8
    assert {key: text for key, (passed, text) in found.items() if not passed} == {}


def test_a_backfill_of_old_days_does_not_make_yesterday_recent(settings, warehouse, polymarket) -> None:
    found = verdicts(settings, warehouse, polymarket, "2026-10-05", "2026-10-06")
    assert {key for key, (passed, _) in found.items() if not passed} == {
        ("wallet_pnl", "recent"),
        ("wallet_activity", "recent"),
        ("copy_quality_daily", "recent"),
    }


def test_checks_find_missing_hours_and_duplicate_rows(sim, settings, warehouse, polymarket) -> None:
    holes = sim.faults.add("mutate", "/user-pnl", mutate=lambda body: [p for p in body if p["t"] % 86_400 != 39_600])
    last = yesterday()
    materialize(settings, warehouse, polymarket, last - 2 * DAY, last)
    assert holes.hits
    with warehouse.batch("double") as batch:
        row = rows(warehouse, "SELECT * FROM wallet_activity ORDER BY timestamp DESC LIMIT 1")[0]
        names = rows(warehouse, "SELECT column_name FROM (DESCRIBE wallet_activity)")
        batch.add("wallet_activity", [{name: value for (name,), value in zip(names, row, strict=True)}])
        batch.commit({"wallet_activity": Append()})
    instance = dg.DagsterInstance.ephemeral()
    defs = build_defs(settings=settings, warehouse=warehouse, polymarket=polymarket)
    checks = dg.AssetSelection.checks_for_assets(WALLET_PNL, WALLET_ACTIVITY)
    job = dg.define_asset_job("checks", selection=checks)
    result = (
        dg.Definitions(assets=list(defs.assets), asset_checks=HISTORY_CHECKS, jobs=[job], resources=defs.resources)
        .resolve_job_def("checks")
        .execute_in_process(instance=instance)
    )
    failed = {
        (e.asset_key.to_user_string(), e.check_name): e.description
        for e in result.get_asset_check_evaluations()
        if not e.passed
    }
    assert set(failed) == {("wallet_pnl", "hourly"), ("wallet_activity", "unique"), ("wallet_activity", "counted")}
    assert "3 of 73 hours" in failed["wallet_pnl", "hourly"]


def test_yesterday_is_due_two_hours_after_midnight() -> None:
    assert due_day(datetime(2026, 11, 23, 1, 59, tzinfo=UTC)) == midnight("2026-11-21")
    assert due_day(datetime(2026, 11, 23, 2, tzinfo=UTC)) == midnight("2026-11-22")


# The schedule


@pytest.mark.slow
def test_the_schedule_loads_yesterday_and_rereads_three_days(sim, settings, warehouse, polymarket, tmp_path) -> None:
    defs = build_defs(settings=settings, warehouse=warehouse, polymarket=polymarket)
    repository = defs.get_repository_def()
    schedule = repository.get_schedule_def("history_schedule")
    with (
        open_instance(tmp_path) as instance,
        dg.build_schedule_context(
            instance=instance, repository_def=repository, resources={"settings": settings}
        ) as context,
    ):
        until = yesterday()
        (request,) = schedule.evaluate_tick(context).run_requests
        first, last = request.tags[RANGE_START], request.tags[RANGE_END]
        assert (first, last) == (str(until - REREAD), str(until))
        job = defs.resolve_job_def("history")
        result = job.execute_in_process(tags=request.tags, instance=instance)
        assert result.success
        assert asked(sim, "/user-pnl") <= 4
        filled = {str(until - n * DAY) for n in range(4)}
        for key in (WALLET_PNL, WALLET_ACTIVITY, COPY_QUALITY):
            assert instance.get_materialized_partitions(key) == filled
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        assert "unfinished" in schedule.evaluate_tick(context).skip_message
    assert len(quality(warehouse)) == 4 * 3


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "set POLYPIPE_COPIER_ADDRESS"),
        (
            {
                "POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS,
                "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS,
                "POLYPIPE_HISTORY_START": "today",
            },
            "no day of it is over yet",
        ),
    ],
)
def test_the_schedule_skips_without_wallets_or_days(sim, tmp_path, more, reason) -> None:
    if "POLYPIPE_HISTORY_START" in more:
        more = more | {"POLYPIPE_HISTORY_START": str(yesterday() + DAY)}
    settings = settings_for(sim.url, **more)
    repository = build_defs(settings=settings).get_repository_def()
    with (
        open_instance(tmp_path) as instance,
        dg.build_schedule_context(
            instance=instance, repository_def=repository, resources={"settings": settings}
        ) as context,
    ):
        assert reason in repository.get_schedule_def("history_schedule").evaluate_tick(context).skip_message


def test_no_other_schedule_has_its_minute(settings) -> None:
    schedules = build_defs(settings=settings).get_repository_def().schedule_defs
    night = datetime(2026, 11, 24, 0, 17, tzinfo=UTC).timestamp() - 1
    due_then = []
    for schedule in schedules:
        tick = next(dg._utils.schedules.schedule_execution_time_iterator(night, schedule.cron_schedule, "UTC"))
        if tick.timestamp() == night + 1:
            due_then.append(schedule.name)
    assert due_then == ["history_schedule"]


@pytest.mark.parametrize(
    ("filled", "expected"),
    [
        ([], "2026-11-19"),  # the first night: no automatic backfill
        (["2026-11-21"], "2026-11-19"),
        (["2026-11-22"], "2026-11-19"),
        (["2026-11-10"], "2026-11-11"),  # an outage of eleven days is made good
        (["2026-09-10"], "2026-10-24"),  # at most one run
    ],
)
def test_due_days_cover_rereads_and_outages(filled, expected) -> None:
    yesterday = date(2026, 11, 22)
    assert due(date(2026, 1, 1), yesterday, filled) == (date.fromisoformat(expected), yesterday)
    assert due(yesterday, yesterday, filled) == (yesterday, yesterday)


@given(st.integers(0, 400), st.lists(st.integers(0, 400)))
def test_due_days_fit_one_run_and_leave_no_hole(first, filled) -> None:
    yesterday = date(2026, 11, 22)
    keys = {str(yesterday - timedelta(days=n)) for n in filled}
    start, end = due(yesterday - timedelta(days=first), yesterday, keys)
    assert end == yesterday
    days = (end - start).days + 1
    assert 1 <= days <= DAYS_A_RUN
    if keys and days < DAYS_A_RUN and days <= first:
        assert date.fromisoformat(max(keys)) >= start - timedelta(days=1)
