"""Reads from Dagster's instance which jobs, schedules and sensors keep failing."""

from collections.abc import Iterable

import dagster as dg
from dagster import DagsterEventType
from dagster._core.scheduler.instigation import InstigatorState, TickStatus
from dagster_shared.error import SerializableErrorInfo

from polypipe.alerts.dagster_manual_runs import failed_manual_runs
from polypipe.health.records import FailureStreak, Pace

NEWEST = 25
"""Newest runs or ticks that are read; a longer streak counts as this many."""

FROM_OUTSIDE = "from outside the execution context"
"""Dagster's message for a run that it ended itself; an earlier event has the reason."""

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_TICKED = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]


def paces(repository: dg.RepositoryDefinition) -> dict[str, Pace]:
    """Job, schedule or sensor -> its pace. A job without a schedule is a minute job: a sensor requests it again."""
    found: dict[str, Pace] = {job.name: "minute" for job in repository.get_all_jobs() if not job.name.startswith("__")}
    found |= {sensor.name: "minute" for sensor in repository.sensor_defs if not sensor.name.startswith("default_")}
    for schedule in repository.schedule_defs:
        crons = [schedule.cron_schedule] if isinstance(schedule.cron_schedule, str) else list(schedule.cron_schedule)
        pace: Pace = "minute" if any(cron.split()[1] == "*" for cron in crons) else "daily"
        found[schedule.name] = pace
        found[schedule.job_name] = pace
    return found


def read_failures(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, own: str) -> list[FailureStreak]:
    """Streaks of all jobs and manual runs, and of schedules and sensors that are on, except the sensor `own`.

    That one cannot see itself.
    """
    known = paces(repository)
    jobs = [name for name in repository.job_names if name in known]
    states = {state.instigator_name: state for state in instance.all_instigator_state() if state.is_running}
    return [
        *(_runs(instance, name, known[name]) for name in sorted(jobs)),
        *failed_manual_runs(instance, _why, repository.asset_graph.materializable_asset_keys),
        *(_ticks(instance, state, known[name]) for name, state in sorted(states.items()) if name in known and name != own),
    ]


def _runs(instance: dg.DagsterInstance, job: str, pace: Pace) -> FailureStreak:
    runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=_FINISHED), limit=NEWEST)
    failures = _in_a_row(run.status == dg.DagsterRunStatus.FAILURE for run in runs)
    return FailureStreak("job", job, pace, failures, _why(instance, runs[0].run_id) if failures else "")


def _why(instance: dg.DagsterInstance, run_id: str) -> str:
    """The message of the failed step, or of the run if no step failed."""
    for kind in (DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE):
        for record in instance.get_records_for_run(run_id, of_type=kind, limit=1).records:
            event = record.event_log_entry.dagster_event
            if event is None:
                continue
            if event.is_step_failure:
                data = event.step_failure_data
                description = data.user_failure_data.description if data.user_failure_data is not None else None
                return description or _cause(data.error)
            message = event.message or ""
            return _engine_error(instance, run_id) or message if FROM_OUTSIDE in message else message
    return ""


def _engine_error(instance: dg.DagsterInstance, run_id: str) -> str:
    """The last error that Dagster itself had with a run, such as that the code server was not there to start it."""
    records = instance.get_records_for_run(run_id, of_type=DagsterEventType.ENGINE_EVENT, limit=NEWEST, ascending=False)
    for record in records.records:
        event = record.event_log_entry.dagster_event
        if event is not None and (error := event.engine_event_data.error) is not None:
            return error.message
    return ""


def _ticks(instance: dg.DagsterInstance, state: InstigatorState, pace: Pace) -> FailureStreak:
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=NEWEST, statuses=_TICKED)
    newest = [tick.tick_data for tick in ticks]
    failures = _in_a_row(data.status == TickStatus.FAILURE for data in newest)
    error = _cause(newest[0].error) if failures else ""
    return FailureStreak(state.instigator_type.value.lower(), state.instigator_name, pace, failures, error)


def _cause(error: SerializableErrorInfo | None) -> str:
    """The innermost error: the outer ones are Dagster's wrapping."""
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message if error is not None else ""


def _in_a_row(failed: Iterable[bool]) -> int:
    count = 0
    for one in failed:
        if not one:
            break
        count += 1
    return count
