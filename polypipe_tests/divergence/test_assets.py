"""Snapshots and positions in Dagster: ticks of the sensor, runs of assets, checks, schedules, stored positions."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from polypipe.definitions import build_defs
from polypipe.divergence import position_refresh
from polypipe.divergence.assets import divergence_assets, divergence_snapshot, positions
from polypipe.divergence.automation import schedules
from polypipe.divergence.snapshot import snapshot_id
from polypipe.errors import SettingError
from polypipe.legacy.assets import divergence_db
from polypipe.legacy.assets import schedules as legacy_schedules
from polypipe.runtime.instance import open_instance
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.copier import RATIO
from polypipe.warehouse import Replace
from polypipe_tests.conftest import settings_for
from polypipe_tests.divergence.support import SOURCES, put_snapshots, rows
from polypipe_tests.health.support import checks_of


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def resources(settings, warehouse, polymarket) -> dict[str, Any]:
    return {"settings": settings, "warehouse": warehouse, "polymarket": polymarket}


def tick(instance: dg.DagsterInstance, resources: dict[str, Any]):
    defs = build_defs(**resources)
    with dg.build_sensor_context(instance=instance, resources=resources, definitions=defs) as context:
        return defs.resolve_sensor_def("divergence_snapshot_sensor").evaluate_tick(context)


DIVERGENCE_CHECKS = checks_of("divergence_snapshot", "positions", "divergence_db")


def run(instance: dg.DagsterInstance, resources: dict[str, Any], *assets: Any) -> dg.ExecuteInProcessResult:
    return dg.materialize(assets, resources=resources, instance=instance, raise_on_error=False)


def run_checks(instance: dg.DagsterInstance, resources: dict[str, Any]) -> dict[str, dg.AssetCheckEvaluation]:
    everything = [*divergence_assets, divergence_db, *DIVERGENCE_CHECKS]
    only_checks = dg.AssetSelection.all_asset_checks()
    return checked(dg.materialize(everything, selection=only_checks, resources=resources, instance=instance))


def why(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = result.get_step_failure_events()
    return failure.step_failure_data.error.to_string()


def checked(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    found = result.get_asset_check_evaluations()
    return {f"{c.asset_key.to_user_string()}.{c.check_name}": c for c in found}


@pytest.mark.slow
def test_a_tick_stores_a_row_and_reports_it_without_a_run(instance, resources, warehouse):
    result = tick(instance, resources)
    event, *checks = result.asset_events
    assert {check.check_name: check.passed for check in checks} == {"recent": True, "complete": True, "gaps": True}
    assert not result.run_requests
    assert event.asset_key == dg.AssetKey("divergence_snapshot")
    ((value, gap, ratio),) = rows(
        warehouse, "SELECT user1_value, pnl_vs_expected, scaling_ratio FROM snapshots", pending=False
    )
    plotted = {name: entry.value for name, entry in event.metadata.items()}
    assert (plotted["user1_value"], plotted["pnl_vs_expected"], plotted["scaling_ratio"]) == (value, gap, ratio)
    assert plotted["waiting_in_spool"] == "no"
    assert "SIMULATED DATA" not in plotted


@pytest.mark.slow
def test_an_unknown_number_is_not_plotted_and_its_reason_is_shown(sim, instance, resources):
    sim.faults.add("html", "/value", query={"user": WHALE_ADDRESS})
    event, *_ = tick(instance, resources).asset_events
    assert "user2_value" not in event.metadata
    assert "user2\\_value" in event.metadata["reasons"].value
    assert "something between you and Polymarket" in event.metadata["reasons"].value


def test_d13_a_tick_during_an_outage_stores_the_row_and_reports_nothing(sim, instance, resources, warehouse):
    for path in SOURCES:
        sim.faults.add("status", path, status=503)
    result = tick(instance, resources)
    assert not result.asset_events
    assert "no source of either wallet answered" in result.skip_message
    ((reasons,),) = rows(warehouse, "SELECT reasons FROM snapshots")
    assert len(json.loads(reasons)) == 12


def test_a_snapshot_with_answers_of_one_wallet_is_reported(sim, instance, resources):
    for path in SOURCES:
        parameter = "user_address" if path == "/user-pnl" else "user"
        sim.faults.add("status", path, status=503, query={parameter: COPIER_ADDRESS})
    assert len(tick(instance, resources).asset_events) == 4


def test_ticks_without_wallets_skip_with_the_settings_to_set(sim, instance, resources, warehouse):
    resources["settings"] = settings_for(sim.url)
    result = tick(instance, resources)
    assert "POLYPIPE_COPIER_ADDRESS" in result.skip_message
    assert rows(warehouse, "SELECT count(*) FROM snapshots") == [(0,)]
    for schedule in (*schedules, *legacy_schedules):
        with dg.build_schedule_context(instance=instance, resources=resources) as context:
            assert "POLYPIPE_WHALE_ADDRESS" in schedule.evaluate_tick(context).skip_message


@pytest.mark.slow
@pytest.mark.parametrize("asset", [divergence_snapshot, positions])
def test_assets_without_wallets_fail_with_the_settings_to_set(sim, instance, resources, asset):
    resources["settings"] = settings_for(sim.url)
    assert "POLYPIPE_COPIER_ADDRESS" in why(run(instance, resources, asset))


@pytest.mark.parametrize("seconds", ["10", "60", "3600"])
def test_sensor_runs_at_the_interval_of_the_setting(sim, seconds):
    settings = settings_for(sim.url, POLYPIPE_SNAPSHOT_SECONDS=seconds)
    sensor = build_defs(settings=settings).resolve_sensor_def("divergence_snapshot_sensor")
    assert sensor.minimum_interval_seconds == int(seconds)
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


@pytest.mark.parametrize("seconds", ["9", "3601", "1.5", "-60", "soon"])
def test_an_interval_out_of_bounds_is_refused(sim, seconds):
    with pytest.raises(SettingError, match=r"POLYPIPE_SNAPSHOT_SECONDS: .* is not whole seconds from 10 to 3600"):
        settings_for(sim.url, POLYPIPE_SNAPSHOT_SECONDS=seconds)


@pytest.mark.slow
def test_a_run_stores_the_same_row_and_metadata_as_a_tick(instance, resources, warehouse):
    ticked, *_ = tick(instance, resources).asset_events
    result = run(instance, resources, divergence_snapshot)
    assert result.success
    (event,) = result.asset_materializations_for_node("divergence_snapshot")
    assert set(event.metadata) >= set(ticked.metadata)
    assert rows(warehouse, "SELECT count(*) FROM snapshots") == [(2,)]


def test_a_run_during_an_outage_fails_and_stores_its_row(sim, instance, resources, warehouse):
    for path in SOURCES:
        sim.faults.add("status", path, status=503)
    assert "no source of either wallet answered" in why(run(instance, resources, divergence_snapshot))
    assert rows(warehouse, "SELECT count(*) FROM snapshots") == [(1,)]


@pytest.mark.slow
def test_simulated_numbers_are_marked(sim, instance, resources):
    wallets = {"POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS, "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS}
    resources["settings"] = settings_for(sim.url, POLYPIPE_SIMULATED="1", **wallets)
    event, *_ = tick(instance, resources).asset_events
    assert "SIMULATED DATA" in event.metadata
    result = run(instance, resources, *divergence_assets, divergence_db)
    for name in ("divergence_snapshot", "positions", "divergence_db"):
        assert "SIMULATED DATA" in result.asset_materializations_for_node(name)[0].metadata


@pytest.mark.slow
def test_assets_and_checks_succeed_in_one_run(instance, resources, settings):
    result = run(instance, resources, *divergence_assets, divergence_db, *DIVERGENCE_CHECKS)
    assert result.success
    checks = checked(result)
    assert set(checks) == {
        "divergence_snapshot.recent", "divergence_snapshot.complete", "divergence_snapshot.gaps",
        "positions.recent", "positions.orphans", "positions.addresses", "divergence_db.whole",
    }  # fmt: skip
    assert {name for name, check in checks.items() if not check.passed} <= {"positions.orphans"}
    assert result.asset_materializations_for_node("divergence_db")[0].metadata["dagster/row_count"].value == 1


@pytest.mark.slow
def test_every_check_fails_before_anything_is_stored(instance, resources):
    checks = run_checks(instance, resources)
    assert len(checks) == 7
    assert not any(check.passed for check in checks.values())


@pytest.mark.slow
def test_checks_find_missing_snapshots_old_age_and_failed_sources(instance, resources, warehouse, settings):
    now = datetime.now(UTC)
    sources = json.dumps({"user1_value": {"ok": False, "age": 60}, "user2_value": {"ok": True, "age": 0}})
    times = [now - timedelta(minutes=m) for m in (30, 29, 28, 10, 9, 8)]
    pair = {"user1_address": settings.copier_address, "user2_address": settings.whale_address, "reasons": "{}"}
    put_snapshots(warehouse, *(pair | {"id": snapshot_id(t), "timestamp": t, "sources": sources} for t in times))
    checks = run_checks(instance, resources)
    assert "2 gaps in 6 snapshots" in checks["divergence_snapshot.gaps"].description
    assert checks["divergence_snapshot.recent"].metadata["seconds"].value >= 480
    assert checks["divergence_snapshot.complete"].description == "no answer from user1_value"
    assert not any(checks[f"divergence_snapshot.{name}"].passed for name in ("gaps", "recent", "complete"))


@pytest.mark.slow
def test_stored_positions_match_the_exchanges_ledger(sim, instance, resources, warehouse):
    assert run(instance, resources, positions).success
    now = sim.clock.now()
    held = {w: {p.token: p for p in sim.ledger.positions(w, now) if p.size >= 0.1} for w in (WHALE_ADDRESS, COPIER_ADDRESS)}
    stored = {
        token: (status, whale, copier, expected)
        for token, status, whale, copier, expected in rows(
            warehouse, "SELECT token_id, status, whale_size, copier_size, expected_size FROM positions", pending=False
        )
    }
    assert stored.keys() == held[WHALE_ADDRESS].keys() | held[COPIER_ADDRESS].keys()
    traded = {act.token for act in sim.ledger.history(WHALE_ADDRESS, now)}
    for token, (status, whale, copier, expected) in stored.items():
        assert whale == pytest.approx(held[WHALE_ADDRESS][token].size if token in held[WHALE_ADDRESS] else 0)
        assert copier == pytest.approx(held[COPIER_ADDRESS][token].size if token in held[COPIER_ADDRESS] else 0)
        assert expected <= 0.05 * whale + 1e-9
        position = held[WHALE_ADDRESS].get(token) or held[COPIER_ADDRESS][token]
        assert (status == "resolved") == (now >= position.market.settles_at)
        if status in ("orphan", "manual"):
            assert (status == "orphan") == (token in traded)
    assert len({status for status, *_ in stored.values()}) > 4
    counts = Counter(status for status, *_ in stored.values())
    names = ("on_target", "under", "over", "missed", "below_minimum", "orphan", "manual", "resolved", "netted")
    (summary,) = rows(warehouse, f"SELECT {', '.join(names)} FROM position_summaries")
    assert dict(zip(names, summary, strict=True)) == {name: counts[name] for name in names}


@pytest.mark.slow
def test_positions_are_replaced_and_summaries_are_appended(sim, instance, resources, warehouse):
    for _ in range(3):
        assert run(instance, resources, positions).success
    assert rows(warehouse, "SELECT count(DISTINCT compared_at) FROM positions") == [(1,)]
    assert rows(warehouse, "SELECT count(*) FROM position_summaries") == [(3,)]


@pytest.mark.slow
def test_whale_history_of_a_token_is_requested_once(sim, instance, resources, warehouse):
    run(instance, resources, positions)
    asked = [seen for seen in sim.requests if seen.path == "/activity" and "market" in seen.params]
    now = sim.clock.now()
    held, copied = (
        {p.token: p for p in sim.ledger.positions(w, now) if p.size >= 0.1} for w in (WHALE_ADDRESS, COPIER_ADDRESS)
    )
    # What the copier alone holds of markets that are not decided, whatever becomes of it: it may be half of a full set.
    extra = [token for token, position in copied.items() if token not in held and now < position.market.settles_at]
    assert len(asked) == len(extra) > 0
    before = rows(warehouse, "SELECT token_id, status, whale_out_since FROM positions ORDER BY 1")
    sim.requests.clear()
    run(instance, resources, positions)
    assert not [seen for seen in sim.requests if seen.path == "/activity" and "market" in seen.params]
    assert rows(warehouse, "SELECT token_id, status, whale_out_since FROM positions ORDER BY 1") == before


@pytest.mark.slow
def test_a_position_that_the_whale_leaves_becomes_an_orphan_of_that_moment(instance, resources, warehouse):
    run(instance, resources, positions)
    ((token,),) = rows(warehouse, "SELECT token_id FROM positions WHERE status = 'orphan' LIMIT 1")
    with warehouse.read() as con:  # as if the whale had held it at the last comparison
        cursor = con.execute(
            f"SELECT * REPLACE (if(token_id = '{token}', 50, whale_size) AS whale_size, "
            f"if(token_id = '{token}', NULL, whale_exit) AS whale_exit, "
            f"if(token_id = '{token}', 'over', status) AS status) FROM positions"
        )
        names = [column[0] for column in cursor.description]
        changed = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    with warehouse.batch("positions") as batch:
        batch.add("positions", changed)
        batch.commit({"positions": Replace()})
    run(instance, resources, positions)
    ((status, since, at),) = rows(
        warehouse, f"SELECT status, whale_out_since, compared_at FROM positions WHERE token_id = '{token}'"
    )
    assert (status, since) == ("orphan", at)


@pytest.mark.slow
@pytest.mark.parametrize("wallet", [COPIER_ADDRESS, WHALE_ADDRESS])
@pytest.mark.parametrize("kind", ["status", "cut_json", "html"])
def test_d20_one_incomplete_wallet_fails_the_run_and_the_old_table_stays(sim, instance, resources, warehouse, wallet, kind):
    run(instance, resources, positions)
    before = rows(warehouse, "SELECT * FROM positions ORDER BY token_id")
    sim.faults.add(kind, "/positions", query={"user": wallet})
    said = why(run(instance, resources, positions))
    assert "the last comparison stays" in said
    assert wallet in said
    assert rows(warehouse, "SELECT * FROM positions ORDER BY token_id") == before
    assert rows(warehouse, "SELECT count(*) FROM position_summaries") == [(1,)]


def test_failed_requests_for_whale_histories_leave_rows_unknown_with_the_reason(sim, instance, resources, warehouse):
    sim.faults.add("status", "/activity")
    assert run(instance, resources, positions).success
    reasons = rows(
        warehouse, "SELECT DISTINCT reason FROM positions WHERE status = 'unknown' AND traced_at IS NOT NULL ORDER BY ALL"
    )
    unread = "its history cannot be read: "
    assert reasons == [(f"{unread}HTTP 500",), (f"{unread}the whale's conversions: HTTP 500",)]


@pytest.mark.slow
def test_whale_histories_of_another_pair_are_not_reused(sim, instance, resources, warehouse):
    run(instance, resources, positions)
    swapped = settings_for(sim.url, POLYPIPE_COPIER_ADDRESS=WHALE_ADDRESS, POLYPIPE_WHALE_ADDRESS=COPIER_ADDRESS)
    wallets = position_refresh.Wallets(swapped.copier_address, swapped.whale_address, RATIO)
    assert position_refresh._known(warehouse, wallets) == {}


def test_the_schedules_skip_while_their_job_is_unfinished(resources, tmp_path):
    with open_instance(tmp_path) as instance:
        for schedule in (*schedules, *legacy_schedules):
            with dg.build_schedule_context(instance=instance, resources=resources) as context:
                assert len(schedule.evaluate_tick(context).run_requests) == 1
                job = build_defs(**resources).resolve_job_def(schedule.job_name)
                instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
                assert "unfinished" in schedule.evaluate_tick(context).skip_message


@pytest.mark.slow
def test_jobs_run_their_assets_and_the_checks_of_snapshots(instance, resources):
    tick(instance, resources)
    defs = build_defs(**resources)
    result = defs.resolve_job_def("positions_refresh").execute_in_process(instance=instance)
    names = {"divergence_snapshot.recent", "divergence_snapshot.complete", "divergence_snapshot.gaps"}
    assert checked(result).keys() == names | {"positions.recent", "positions.orphans", "positions.addresses"}
    assert result.asset_materializations_for_node("positions")[0].metadata["waiting_in_spool"].value == "no"
    result = defs.resolve_job_def("divergence_export").execute_in_process(instance=instance)
    assert [check.passed for check in checked(result).values()] == [True]


def test_every_asset_has_owner_description_and_freshness_policy():
    for asset in (*divergence_assets, divergence_db):
        (spec,) = asset.specs
        assert spec.owners
        assert spec.group_name in ("wallets", "export")
        assert spec.freshness_policy is not None
        assert len(spec.description) > 100
    assert divergence_db.specs_by_key.keys() == {dg.AssetKey("divergence_db")}
