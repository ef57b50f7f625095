"""Pruning Dagster's storage: pages show the same as before, old rows that no page needs are removed."""

import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as db
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, TickData, TickStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from hypothesis import given, settings
from hypothesis import strategies as st

from polypipe.maintenance import retention
from polypipe.maintenance.dagster_pruning import prune
from polypipe.maintenance.retention import KEEP, KEEP_FAILURES, KEEP_RUNS_PER_JOB, StoredRun, expired
from polypipe.runtime.instance import open_instance

NOW = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = dg.DailyPartitionsDefinition(start_date="2026-10-01")


@dg.asset
def plain() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"n": 1})


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def daily() -> dg.MaterializeResult:
    return dg.MaterializeResult()


@dg.asset_check(asset=plain)
def good() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


DEFS = dg.Definitions(assets=[plain, daily], asset_checks=[good], jobs=[dg.define_asset_job("plain_job", [plain])])
GOOD = dg.AssetCheckKey(dg.AssetKey("plain"), "good")


@pytest.fixture(params=["SQLite", "Postgres"])
def instance(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("POLYPIPE_POSTGRES_URL", "")
    url = request.getfixturevalue("postgres_url") if request.param == "Postgres" else None
    with open_instance(tmp_path / "home", url) as instance:
        yield instance


def _materialize(instance: dg.DagsterInstance, **more: Any) -> str:
    result = dg.materialize(instance=instance, **({"assets": [plain, good]} | more))
    assert result.success
    return str(result.run_id)


def _age(instance: dg.DagsterInstance, run_id: str, age: timedelta) -> None:
    """Move a run, or with "" the events without a run, this far into the past."""
    then = (datetime.now(UTC) - age).replace(tzinfo=None)
    with instance.run_storage.connect() as con:
        con.execute(db.update(RunsTable).where(RunsTable.c.run_id == run_id).values(create_timestamp=then))
    with instance.event_log_storage.index_connection() as con:
        con.execute(db.update(Events).where(Events.c.run_id == run_id).values(timestamp=then))
        con.execute(db.update(Checks).where(Checks.c.run_id == run_id).values(evaluation_event_timestamp=then))


def _count(instance: dg.DagsterInstance, table: Any, run_id: str) -> int:
    with instance.event_log_storage.index_connection() as con:
        return int(con.execute(db.select(db.func.count()).select_from(table).where(table.c.run_id == run_id)).scalar_one())


def _shown(instance: dg.DagsterInstance) -> dict[str, Any]:
    """The data behind the pages of assets, partitions and checks."""
    storage = instance.event_log_storage
    shown: dict[str, Any] = {}
    for name in ("plain", "daily"):
        key = dg.AssetKey(name)
        last = instance.get_latest_materialization_event(key)
        records = instance.fetch_materializations(key, limit=1).records
        shown[name] = (
            last and (last.run_id, last.timestamp),
            [(record.storage_id, record.run_id) for record in records],
            instance.get_materialized_partitions(key),
            storage.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION),
            instance.fetch_observations(key, limit=1).records,
        )
    check = storage.get_latest_asset_check_execution_by_key([GOOD]).get(GOOD)
    shown["check"] = check and (check.id, check.status, check.run_id)
    shown["summary"] = storage.get_asset_check_summary_records([GOOD])[GOOD]
    return shown


@pytest.mark.slow
def test_old_runs_are_removed_and_pages_show_the_same(instance, monkeypatch):
    monkeypatch.setattr(retention, "KEEP_RUNS_PER_JOB", 2)
    plain_runs = [_materialize(instance) for _ in range(6)]
    by_day = _materialize(instance, assets=[daily], partition_key="2026-10-05")
    ranged = {"dagster/asset_partition_range_start": "2026-10-10", "dagster/asset_partition_range_end": "2026-10-14"}
    job = dg.Definitions(assets=[daily], jobs=[dg.define_asset_job("daily_job", [daily])]).resolve_job_def("daily_job")
    ranged_run = job.execute_in_process(instance=instance, tags=ranged).run_id
    running = instance.create_run_for_job(DEFS.resolve_job_def("plain_job"), status=dg.DagsterRunStatus.STARTED).run_id
    failed = instance.create_run_for_job(DEFS.resolve_job_def("plain_job"), status=dg.DagsterRunStatus.FAILURE).run_id
    for run_id in (*plain_runs, by_day, ranged_run, running, failed):
        _age(instance, run_id, timedelta(days=400))
    _age(instance, failed, KEEP_FAILURES - timedelta(days=1))
    before = _shown(instance)
    assert len(before["daily"][2]) == 6

    done = prune(instance, datetime.now(UTC), 60)
    assert _shown(instance) == before
    left = set(instance.get_run_ids())
    # The jobs of dg.materialize have one name: the range and the day are the newest two of it, the last run is needed.
    assert left >= {by_day, ranged_run, running, failed, plain_runs[-1]}
    assert done.runs == 5
    assert plain_runs[0] not in left
    assert _count(instance, Events, plain_runs[0]) == 0
    assert not done.unfinished
    assert prune(instance, datetime.now(UTC), 60).runs == 0


def test_old_events_without_a_run_are_removed_except_the_last_ones(instance):
    for number in range(5):
        instance.report_runless_asset_event(dg.AssetMaterialization("plain", metadata={"n": number}))
        instance.report_runless_asset_event(dg.AssetObservation("plain"))
        instance.report_runless_asset_event(
            AssetCheckEvaluation(
                dg.AssetKey("plain"), "good", passed=number % 2 == 0, metadata={}, severity=dg.AssetCheckSeverity.WARN
            )
        )
        instance.report_runless_asset_event(dg.AssetMaterialization("daily", partition=f"2026-10-0{number + 1}"))
        instance.report_runless_asset_event(dg.AssetMaterialization("daily", partition="2026-10-01"))
    before = _shown(instance)
    assert prune(instance, datetime.now(UTC), 60).runless_events == 0  # nothing is old
    _age(instance, "", KEEP + timedelta(hours=1))
    done = prune(instance, datetime.now(UTC), 60)
    assert _shown(instance) == before
    assert before["summary"].last_check_execution_record.status.value == "SUCCEEDED"
    assert done.check_results == 4
    assert done.runless_events == 4 + 4 + 4
    assert _count(instance, Events, "") == 1 + 1 + 1 + 10  # all events of partitions are kept
    with instance.event_log_storage.index_connection() as con:
        tags = con.execute(
            db.text("SELECT count(*) FROM asset_event_tags WHERE event_id NOT IN (SELECT id FROM event_logs)")
        )
        assert tags.scalar_one() == 0


@pytest.mark.slow
def test_an_interrupted_deletion_is_completed(instance):
    run_id, later = _materialize(instance), _materialize(instance)
    by_day = _materialize(instance, assets=[daily], partition_key="2026-10-05")
    before = _shown(instance)
    instance.run_storage.delete_run(run_id)  # the deletion stops here
    instance.run_storage.delete_run(by_day)
    assert prune(instance, datetime.now(UTC), 60).orphaned_events == 0  # recent: it may still be written
    _age(instance, run_id, timedelta(days=40))
    _age(instance, by_day, timedelta(days=40))
    assert prune(instance, datetime.now(UTC), 60).orphaned_events > 0
    assert _count(instance, Events, run_id) == 0
    assert _count(instance, Events, later) > 0
    assert instance.get_materialized_partitions(dg.AssetKey("daily")) == {"2026-10-05"}
    assert _shown(instance) == before


@pytest.mark.slow
def test_pruning_stops_when_its_time_is_over(instance, monkeypatch):
    monkeypatch.setattr(retention, "KEEP_RUNS_PER_JOB", 0)
    for run_id in [_materialize(instance) for _ in range(3)]:
        _age(instance, run_id, timedelta(days=30))
    done = prune(instance, datetime.now(UTC), -1)
    assert (done.runs, done.unfinished) == (0, True)
    done = prune(instance, datetime.now(UTC), 60)
    assert (done.runs, done.unfinished) == (2, False)


def test_old_ticks_of_inactive_sensors_are_removed_except_the_last(instance):
    target = LoadableTargetOrigin(module_name="x")
    repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(target), "r")
    origin = RemoteInstigatorOrigin(repository, "gone_sensor")
    state = instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.STOPPED))
    then = (datetime.now(UTC) - timedelta(days=60)).timestamp()
    for number in range(5):
        instance.create_tick(
            TickData(
                instigator_origin_id=state.instigator_origin_id,
                instigator_name="gone_sensor",
                instigator_type=InstigatorType.SENSOR,
                status=TickStatus.SUCCESS,
                run_ids=[],
                timestamp=then + number,
                selector_id=state.selector_id,
            )
        )
    assert prune(instance, datetime.now(UTC), 60).ticks == 4
    (left,) = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    assert left.timestamp == then + 4


_RUN = st.builds(
    StoredRun,
    run_id=st.builds(lambda: uuid.uuid4().hex),
    job=st.sampled_from(["a", "b"]),
    succeeded=st.booleans(),
    finished=st.booleans(),
    created=st.integers(0, 60).map(lambda days: NOW - timedelta(days=days)),
    needed=st.booleans(),
)


@pytest.mark.slow
@given(st.lists(_RUN, max_size=80))
def test_only_old_finished_unneeded_runs_beyond_the_kept_number_expire(runs):
    runs.sort(key=lambda run: run.created, reverse=True)
    gone = expired(runs, NOW)
    kept = [run for run in runs if run.run_id not in gone]
    for job in "ab":
        own = [run for run in runs if run.job == job]
        assert own[:KEEP_RUNS_PER_JOB] == [run for run in kept if run.job == job][:KEEP_RUNS_PER_JOB]
        for run in own[KEEP_RUNS_PER_JOB:]:
            old = NOW - run.created > (KEEP if run.succeeded else KEEP_FAILURES)
            assert (run.run_id in gone) == (run.finished and not run.needed and old)
    order = [run.created for name in gone for run in runs if run.run_id == name]
    assert order == sorted(order)  # oldest first, in case the time is over


_EVENT = st.tuples(
    st.sampled_from(["materialization", "observation", "check"]),
    st.sampled_from([None, "2026-10-01", "2026-10-02"]),
    st.booleans(),
)


@pytest.mark.slow
@given(st.lists(_EVENT, max_size=14))
@settings(max_examples=5)
def test_any_events_without_a_run_are_pruned_as_the_model_says(events):
    model: list[tuple[str, str | None, bool]] = []
    with tempfile.TemporaryDirectory() as home, open_instance(Path(home)) as instance:
        for kind, partition, old in events:
            if kind == "check":
                partition = None
                severity = dg.AssetCheckSeverity.WARN
                event: Any = AssetCheckEvaluation(dg.AssetKey("plain"), "good", passed=True, metadata={}, severity=severity)
            else:
                event = (dg.AssetMaterialization if kind == "materialization" else dg.AssetObservation)(
                    "plain", partition=partition
                )
            instance.report_runless_asset_event(event)
            model.append((kind, partition, old))
            with instance.event_log_storage.index_connection() as con:
                then = datetime.now(UTC).replace(tzinfo=None) - (timedelta(days=30) if old else timedelta(0))
                newest = db.select(db.func.max(Events.c.id)).scalar_subquery()
                con.execute(db.update(Events).where(Events.c.id == newest).values(timestamp=then))
                if kind == "check":
                    newest = db.select(db.func.max(Checks.c.id)).scalar_subquery()
                    con.execute(db.update(Checks).where(Checks.c.id == newest).values(evaluation_event_timestamp=then))
        last = {kind: place for place, (kind, _, _) in enumerate(model)}
        expected = [e for place, e in enumerate(model) if not e[2] or e[1] is not None or last[e[0]] == place]
        # A check result refers to the materialization it is about, which is kept as well.
        before = _shown(instance)
        prune(instance, datetime.now(UTC), 60)
        assert _shown(instance) == before
        left = _count(instance, Events, "")
        assert len(expected) <= left <= len(expected) + sum(kind == "check" for kind, _, _ in expected)
