"""A backfill by the running servers: Dagster's own asset backfill, requested through its GraphQL API.

GraphQL is Dagster's only public interface for it. The query is executed here, against the running code server and the
storage of the instance, so it also works while the UI is read-only or does not answer.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_graphql.cli import execute_query

from polypipe.cli.dagster_backfill import Backfill, Days, Reasons, Say
from polypipe.cli.dagster_here import failure_reason
from polypipe.cli.day_progress import DayProgress
from polypipe.errors import PolypipeError
from polypipe.orchestration.daily import days_of_run
from polypipe.orchestration.day_ranges import ranges_of, spans
from polypipe.runtime.running import running
from polypipe.runtime.servers import running_servers
from polypipe.text import bounded, count

BACKFILL_TAG = "dagster/backfill"
TITLE = "polypipe backfill"
POLL_SECONDS = 2.0

LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on UnauthorizedError { message }
    ... on PythonError { message }
  }
}
"""
UNFINISHED = """
query Unfinished {
  partitionBackfillsOrError(status: REQUESTED) {
    __typename
    ... on PartitionBackfills { results { id title } }
  }
}
"""
STATUS = """
query Status($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    __typename
    ... on PartitionBackfill { status error { message } }
  }
}
"""


def request(work: Backfill, todo: Days, wait: bool, say: Say) -> Reasons | None:
    """Request the backfill and print where to see it. With `wait`, returns the failures once it has ended, else None.

    While that of an earlier command runs, it is waited for instead.

    Raises `PolypipeError` if Dagster refuses it, or if the servers stop meanwhile.
    """
    with _workspace(work) as context:
        days = count(len({day for days in todo.values() for day in days}), "day")
        if backfill := _unfinished(context):
            what = f"backfill {backfill} is still running, nothing is requested"
        else:
            backfill = _launch(context, todo)
            what = f"requested backfill {backfill} of {days}"
        page, _ = running_servers(work.settings)["webserver"]
        say(f"{what}: {page}/runs/b/{backfill}")
        if not wait:
            say("`polypipe backfill --wait` waits for it; `polypipe backfill --dry-run` shows what is left")
            return None
        return _wait(work, context, backfill, todo)


def _unfinished(context: WorkspaceProcessContext) -> str | None:
    """The backfill of an earlier command that has not ended: a second one would load its days again."""
    found = _execute(context, UNFINISHED)["partitionBackfillsOrError"]
    return next((one["id"] for one in found.get("results", ()) if one["title"] == TITLE), None)


def _launch(context: WorkspaceProcessContext, todo: Days) -> str:
    found = _execute(context, LAUNCH, params=_parameters(todo))["launchPartitionBackfill"]
    if found["__typename"] != "LaunchBackfillSuccess":
        raise PolypipeError(f"Dagster refused the backfill: {bounded(found.get('message') or found['__typename'])}")
    backfill: str = found["backfillId"]
    return backfill


def _parameters(todo: Days) -> dict[str, Any]:
    return {
        "title": TITLE,
        "partitionsByAssets": [
            {
                "assetKey": {"path": [asset]},
                "partitions": {"ranges": [{"start": f"{one.first}", "end": f"{one.last}"} for one in spans(days)]},
            }
            for asset, days in todo.items()
            if days
        ],
    }


def _wait(work: Backfill, context: WorkspaceProcessContext, backfill: str, todo: Days) -> Reasons:
    with DayProgress(ranges_of(todo, most=10**6)) as progress:
        while True:
            found = _execute(context, STATUS, id=backfill)["partitionBackfillOrError"]
            runs = work.here.instance.get_runs(dg.RunsFilter(tags={BACKFILL_TAG: backfill}))
            finished = [run for run in runs if run.is_finished]
            progress.at(sum(len(days_of_run(run)) * len(run.asset_selection or ()) for run in finished))
            status = found.get("status", found["__typename"])
            if status not in ("REQUESTED", "CANCELING", "FAILING"):
                break
            if running(work.settings.home) is None:
                raise PolypipeError(
                    f"the servers stopped during backfill {backfill}",
                    "it continues when they are up again; `polypipe backfill` then shows what is left",
                )
            time.sleep(POLL_SECONDS)
    failures: Reasons = {}
    for run in finished:
        if run.status != dg.DagsterRunStatus.SUCCESS:
            failures |= _failures(work.here.instance, run)
    if (error := found.get("error")) is not None:
        raise PolypipeError(f"backfill {backfill} failed: {bounded(error['message'])}")
    return failures


def _failures(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Reasons:
    """(asset, day) -> why the run failed."""
    records = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    events = [record.event_log_entry.dagster_event for record in records]
    told = {event.step_key or "": failure_reason(event) for event in events if event is not None}
    other = f"run {run.run_id[:8]} ended as {run.status.value}"
    return {
        (key.to_user_string(), day): told.get(key.to_user_string(), "; ".join(told.values()) or other)
        for key in run.asset_selection or ()
        for day in days_of_run(run)
    }


@contextmanager
def _workspace(work: Backfill) -> Iterator[WorkspaceProcessContext]:
    path = Path(work.settings.home) / "dagster" / "workspace.yaml"
    with WorkspaceProcessContext(work.here.instance, WorkspaceFileTarget([str(path)])) as context:
        errors = [entry.load_error for entry in context.create_request_context().get_code_location_entries().values()]
        for error in errors:
            if error is not None:
                raise PolypipeError(
                    f"the code server does not answer: {bounded(error.message)}",
                    "if the servers have just started, try again in a minute; `polypipe status` shows their state",
                )
        yield context


def _execute(context: WorkspaceProcessContext, query: str, **variables: Any) -> Mapping[str, Any]:
    answer = execute_query(context, query, variables)
    if "errors" in answer:
        raise PolypipeError(f"Dagster refused the request: {bounded(answer['errors'][0]['message'])}")
    data: Mapping[str, Any] = answer["data"]
    return data
