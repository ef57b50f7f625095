"""The assets of attribution in Dagster, over a simulated exchange with known truth."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.attribution.assets import COPY_FILLS, COPY_METRICS, GAP_ATTRIBUTION, attribution_assets
from polypipe.attribution.automation import due
from polypipe.attribution.copy_fills import compute_fills
from polypipe.attribution.days import LOOK_BACK
from polypipe.attribution.parts import PARTS
from polypipe.definitions import build_defs
from polypipe.divergence.position_refresh import refresh_positions
from polypipe.history.activity import load_activity
from polypipe.history.assets import COPY_QUALITY, DAYS_A_RUN, WALLET_ACTIVITY
from polypipe.history.automation import REREAD
from polypipe.history.copy_quality import compute_quality, reasons_of
from polypipe.history.pnl import load_pnl
from polypipe.orchestration.daily import RANGE_END, RANGE_START, daily_partitions
from polypipe.runtime.instance import open_instance
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.wallets import Wallets
from polypipe.warehouse import Append, Warehouse
from polypipe_tests.conftest import impatient, settings_for
from polypipe_tests.divergence.support import rows
from polypipe_tests.health.support import checks_of
from polypipe_tests.history.support import midnight

ATTRIBUTION_CHECKS = checks_of("copy_fills", "gap_attribution")

pytestmark = pytest.mark.filterwarnings("ignore:Asset job .* varying BackfillPolicies")

FIRST, LAST = date(2026, 7, 10), date(2026, 7, 31)
TABLES = ("copy_fills", "copy_metrics_daily", "copy_breakdowns", "gap_attribution", "uncopied_exits")


@pytest.fixture(scope="module")
def filled(exchange, tmp_path_factory) -> Warehouse:
    """Stored history: activity since the whale's first day, PnL and copy quality of three weeks."""
    home = Warehouse(tmp_path_factory.mktemp("filled"))
    polymarket, wallets = impatient(settings_for(exchange.url)), Wallets(COPIER_ADDRESS, WHALE_ADDRESS, 0.08)
    start, end = midnight("2026-07-10"), midnight("2026-08-01")
    load_activity(polymarket, home, wallets, midnight("2026-06-01"), end)
    load_pnl(polymarket, home, wallets, start, end, lambda: midnight("2026-08-01") + timedelta(minutes=30))
    compute_quality(home, wallets, start, end)
    refresh_positions(polymarket, home, wallets, lambda: midnight("2026-08-01") + timedelta(minutes=26))
    return home


@pytest.fixture
def warehouse(filled, tmp_path) -> Warehouse:
    """A copy of it."""
    shutil.copytree(filled.layout.home, tmp_path / "copy")
    return Warehouse(tmp_path / "copy")


def materialize(settings, warehouse, first, last, **more):
    """One run over the days from first to last, both included."""
    return dg.materialize(
        attribution_assets(daily_partitions(settings)),
        resources={"settings": settings, "warehouse": warehouse, "polymarket": impatient(settings)},
        tags={RANGE_START: str(first), RANGE_END: str(last)},
        **more,
    )


def everything(warehouse, since=FIRST):
    where = {"copy_fills": "timestamp"}
    return {
        table: rows(
            warehouse, f"SELECT * FROM {table} WHERE {where.get(table, 'day')} >= '{since} 00:00:00+00' ORDER BY ALL"
        )
        for table in TABLES
    }


def labels(result, key, partition):
    return {
        name: value.value
        for event in result.asset_materializations_for_node(key.to_user_string())
        if event.partition == partition
        for name, value in event.metadata.items()
    }


@pytest.mark.slow
def test_fills_reasons_and_gaps_of_three_weeks_match_the_simulators_truth(sim, settings, wallets, warehouse) -> None:
    # Earlier fills decide which positions are open, so match from the beginning; PnL is known for three weeks.
    compute_fills(warehouse, wallets, midnight("2026-06-01"), midnight(str(FIRST)))
    result = materialize(settings, warehouse, FIRST, LAST)
    truth = [one for one in sim.copy_truth() if FIRST <= datetime.fromtimestamp(one.whale.at, UTC).date() <= LAST]
    stored = rows(
        warehouse,
        "SELECT status, reason, copier_shares, slippage_usd, transaction FROM (SELECT *, split_part(key, '|', 3) AS "
        f"transaction FROM copy_fills) WHERE status <> 'own' AND timestamp >= '{FIRST} 00:00:00+00'",
    )
    assert len(stored) == len(truth)
    by_hash = {one.whale.hash: one for one in truth}
    right = sum(shares == pytest.approx(by_hash[tx].filled) for _, _, shares, _, tx in stored)
    assert right >= 0.99 * len(truth)
    # Sizes and holdings give some reasons; only the log knows if a small fill was stopped by another cause.
    inferable = {"small": "small", "below_minimum": "probability", "no_position": "no_position"}
    reasons = [(by_hash[tx].reason, reason) for _, reason, shares, _, tx in stored if not shares]
    known = [inferable[true] == found for true, found in reasons if true in inferable]
    assert len(known) > 50
    assert sum(known) >= 0.97 * len(known)
    assert {found for true, found in reasons if true not in inferable} <= {"unknown", *inferable.values()}
    slipped = sum(one.slippage * one.filled for one in truth if one.copy)
    assert sum(usd or 0 for _, _, _, usd, _ in stored) == pytest.approx(slipped, rel=0.02)
    # the parts sum to the gap, on every day
    gaps = rows(
        warehouse,
        f"SELECT gap, unexplained, {' + '.join(PARTS)} FROM gap_attribution WHERE day >= '{FIRST} 00:00:00+00'",
    )
    assert len(gaps) == 22
    for gap, unexplained, explained in gaps:
        assert explained + unexplained == pytest.approx(gap, abs=1e-6)
    # the price of every midnight is known, so there is nothing left to explain
    assert abs(sum(gap for gap, _, _ in gaps)) > 100
    for gap, unexplained, _ in gaps:
        assert abs(unexplained) < 0.001 * abs(gap)
    numbers = labels(result, GAP_ATTRIBUTION, str(LAST))
    assert numbers["gap"] == pytest.approx(sum(numbers[name] for name in PARTS) + numbers["unexplained"], abs=1e-6)
    assert labels(result, COPY_FILLS, str(LAST))["dagster/partition_row_count"] == sum(
        rows(warehouse, f"SELECT count(*) FROM copy_fills WHERE timestamp >= '{LAST} 00:00:00+00'")[0]
    )
    metrics = labels(result, COPY_METRICS, str(LAST))
    assert metrics["realised_ratio_30d"] == pytest.approx(0.08, rel=0.001)
    assert "ratio_warning" not in metrics


@pytest.mark.slow
def test_a_range_equals_its_days_in_any_order_and_its_repetition(settings, warehouse, filled, tmp_path) -> None:
    first, last = date(2026, 7, 20), date(2026, 7, 22)
    materialize(settings, warehouse, first, last)
    whole = everything(warehouse, first)
    assert all(whole.values())
    materialize(settings, warehouse, first, last)
    assert everything(warehouse, first) == whole
    shutil.copytree(filled.layout.home, tmp_path / "other")
    other = Warehouse(tmp_path / "other")
    for n in (2, 0, 1):
        day = first + timedelta(days=n)
        materialize(settings, other, day, day)
    assert everything(other, first) == whole


@pytest.mark.slow
def test_a_range_matched_in_pieces_has_the_same_result(wallets, warehouse, monkeypatch) -> None:
    span = midnight(str(FIRST)), midnight(str(LAST + timedelta(days=1)))
    computed = compute_fills(warehouse, wallets, *span)
    whole = rows(warehouse, "SELECT * FROM copy_fills ORDER BY ALL")
    assert sum(status.total() for status in computed.status.values()) == len(whole) > 300
    assert len(computed.status) == 22
    monkeypatch.setattr("polypipe.attribution.copy_fills.AT_ONCE", timedelta(days=4))
    assert compute_fills(warehouse, wallets, *span) == computed
    assert rows(warehouse, "SELECT * FROM copy_fills ORDER BY ALL") == whole


@pytest.mark.slow
def test_a_range_computed_in_pieces_has_the_same_result(settings, warehouse, wallets, monkeypatch) -> None:
    first, last = date(2026, 7, 18), date(2026, 7, 22)
    materialize(settings, warehouse, first, last)
    whole = everything(warehouse, first)
    assert all(whole.values())
    for module, length in (("daily_gap", timedelta(days=2)), ("wallet_fees", timedelta(days=2)), ("metrics", 2)):
        monkeypatch.setattr(f"polypipe.attribution.{module}.AT_ONCE", length)
    materialize(settings, warehouse, first, last)
    assert everything(warehouse, first) == whole


@pytest.mark.slow
def test_every_null_of_every_row_has_its_reason(settings, wallets, warehouse) -> None:
    compute_quality(warehouse, wallets, midnight("2026-07-08"), midnight("2026-07-10"))
    materialize(settings, warehouse, "2026-07-08", "2026-07-12")  # the first two have no PnL
    for table in ("gap_attribution", "copy_metrics_daily"):
        names = [name for (name,) in rows(warehouse, f"SELECT column_name FROM (DESCRIBE {table})")]
        for values in rows(warehouse, f"SELECT * FROM {table}"):
            row = dict(zip(names, values, strict=True))
            assert set(reasons_of(row)) == {name for name, value in row.items() if value is None} - {"fills_from"}
    unknown = rows(warehouse, "SELECT count(*) FROM gap_attribution WHERE gap IS NULL")
    assert unknown == [(2,)]


@pytest.mark.slow
def test_a_wrong_ratio_setting_gives_a_warning(sim, settings, warehouse) -> None:
    """0.05 was set when history was computed, and still is; the bot copies at 0.08."""
    wrong = settings_for(
        sim.url,
        POLYPIPE_COPIER_ADDRESS=settings.copier_address,
        POLYPIPE_WHALE_ADDRESS=settings.whale_address,
        POLYPIPE_SCALING_RATIO="0.05",
        POLYPIPE_HISTORY_START="2026-06-01",
    )
    pair = Wallets(COPIER_ADDRESS, WHALE_ADDRESS, 0.05)
    later = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    compute_quality(
        warehouse, pair, midnight("2026-06-10"), midnight("2026-08-01"), later
    )  # without the 0.08 of the fixture
    result = materialize(wrong, warehouse, "2026-06-10", "2026-07-09")
    warning = labels(result, COPY_METRICS, "2026-07-09")["ratio_warning"]
    assert "a ratio of 0.08" in warning
    assert "0.05" in warning
    fills = rows(warehouse, "SELECT count(*) FROM copy_fills WHERE copier_fills > 0 AND status <> 'own'")
    assert fills[0][0] > 200  # matching uses the realised ratio, not the setting


@pytest.mark.slow
def test_a_run_without_wallets_fails_with_the_setting_to_set(sim, warehouse) -> None:
    bare = settings_for(sim.url, POLYPIPE_HISTORY_START="2026-06-01")
    result = materialize(bare, warehouse, "2026-07-10", "2026-07-10", raise_on_error=False)
    (failure, *_) = result.get_step_failure_events()
    assert "set POLYPIPE_COPIER_ADDRESS" in failure.event_specific_data.user_failure_data.description


def test_assets_have_their_backfill_policy_pool_and_partitions(settings) -> None:
    graph = build_defs(settings=settings).resolve_asset_graph()
    for key, parents in (
        (COPY_FILLS, {WALLET_ACTIVITY, COPY_QUALITY}),
        (COPY_METRICS, {COPY_FILLS}),
        (GAP_ATTRIBUTION, {COPY_FILLS, COPY_QUALITY}),
    ):
        node = graph.get(key)
        assert node.backfill_policy.max_partitions_per_run == DAYS_A_RUN
        assert node.pools == {"duckdb_write"}
        assert node.group_name == "attribution"
        assert node.freshness_policy is not None
        assert node.partitions_def.get_partition_keys()[0] == "2026-06-01"
        assert node.parent_keys == parents


def test_a_day_without_its_upstream_fails_with_the_day_and_stores_nothing(settings, warehouse) -> None:
    result = materialize(settings, warehouse, "2026-07-09", "2026-07-10", raise_on_error=False)
    failures = {event.step_key: event.event_specific_data.user_failure_data for event in result.get_step_failure_events()}
    assert failures.keys() == {"copy_fills"}
    assert "copy_quality_daily is missing for 1 day: 2026-07-09" in failures["copy_fills"].description
    assert "\n" not in failures["copy_fills"].description
    assert rows(warehouse, "SELECT count(*) FROM copy_fills") == [(0,)]


# Checks


@pytest.mark.slow
def test_checks_find_a_day_whose_parts_do_not_sum_to_the_gap(settings, warehouse) -> None:
    def verdicts():
        instance = dg.DagsterInstance.ephemeral()
        result = dg.materialize(
            [*attribution_assets(daily_partitions(settings)), *ATTRIBUTION_CHECKS],
            resources={"settings": settings, "warehouse": warehouse, "polymarket": impatient(settings)},
            tags={RANGE_START: str(LAST), RANGE_END: str(LAST)},
            instance=instance,
        )
        return {(e.asset_key.to_user_string(), e.check_name): e for e in result.get_asset_check_evaluations()}

    found = verdicts()
    assert found["gap_attribution", "sums"].passed
    assert found["copy_fills", "counted"].passed
    assert not found["gap_attribution", "recent"].passed  # the exchange's clock stands still in the past
    with warehouse.batch("spoil") as batch:
        (row,) = rows(warehouse, "SELECT * FROM gap_attribution")
        names = [name for (name,) in rows(warehouse, "SELECT column_name FROM (DESCRIBE gap_attribution)")]
        spoiled = dict(zip(names, row, strict=True))
        spoiled |= {"day": spoiled["day"] - timedelta(days=1), "slippage": spoiled["slippage"] + 0.01}
        batch.add("gap_attribution", [spoiled])
        batch.commit({"gap_attribution": Append()})
    sums = verdicts()["gap_attribution", "sums"]
    assert not sums.passed
    assert "2026-07-30" in sums.description


# The job, its schedule and the sensor


@pytest.mark.slow
def test_the_schedule_follows_history(settings, warehouse, tmp_path) -> None:
    defs = build_defs(settings=settings, warehouse=warehouse)
    repository = defs.get_repository_def()
    schedule, sensor = repository.get_schedule_def("attribution_schedule"), repository.get_sensor_def("first_attribution")
    (tmp_path / "dagster").mkdir()
    with open_instance(tmp_path / "dagster") as instance:
        given = {
            "instance": instance,
            "repository_def": repository,
            "resources": {"settings": settings, "warehouse": warehouse},
        }

        def tick():
            with dg.build_schedule_context(**given) as context:  # must be closed before its instance
                return schedule.evaluate_tick(context)

        def sense():
            with dg.build_sensor_context(**given) as context:
                return sensor.evaluate_tick(context)

        assert "history has no day yet" in tick().skip_message
        for key in (COPY_QUALITY, WALLET_ACTIVITY):
            for n in range(6):
                instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=str(LAST - timedelta(days=n))))
        for found in (tick(), sense()):
            (request,) = found.run_requests
            assert (request.tags[RANGE_START], request.tags[RANGE_END]) == (str(LAST - timedelta(days=5)), str(LAST))
        job = defs.resolve_job_def("attribution")
        assert job.execute_in_process(tags=request.tags, instance=instance).success
        assert len(instance.get_materialized_partitions(GAP_ATTRIBUTION)) == 6
        assert "before" in sense().skip_message
        (request,) = tick().run_requests
        assert request.tags[RANGE_START] == str(LAST - REREAD)
        instance.create_run_for_job(defs.resolve_job_def("history"), status=dg.DagsterRunStatus.STARTED)
        assert "unfinished" in tick().skip_message
    assert json.loads(rows(warehouse, "SELECT notes FROM gap_attribution LIMIT 1")[0][0]) is not None


def test_the_schedule_skips_without_wallets(sim, tmp_path) -> None:
    bare = settings_for(sim.url)
    repository = build_defs(settings=bare).get_repository_def()
    with open_instance(tmp_path) as instance:
        given = {"instance": instance, "repository_def": repository, "resources": {"settings": bare}}
        with dg.build_schedule_context(**given) as context:
            tick = repository.get_schedule_def("attribution_schedule").evaluate_tick(context)
        assert "POLYPIPE_COPIER_ADDRESS" in tick.skip_message


@given(st.sets(st.integers(0, 200)), st.sets(st.integers(0, 200)))
def test_due_days_cover_every_missing_day_of_the_last_90(history, done) -> None:
    origin = date(2026, 1, 1)
    keys, computed = ({str(origin + timedelta(days=n)) for n in days} for days in (history, done))
    span = due(keys, computed)
    if not history:
        assert span is None
        return
    first, last = span
    assert str(last) == max(keys)
    assert str(first) >= min(keys)
    for key in keys - computed:
        assert key >= str(first) or date.fromisoformat(key) <= last - LOOK_BACK
