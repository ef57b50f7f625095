"""Materializes assets in this process, without servers, and says in one line what became of each."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from polypipe.caches.publish import FIRST
from polypipe.caches.registry import CACHES
from polypipe.orchestration.daily import RANGE_END, RANGE_START
from polypipe.orchestration.day_ranges import Range
from polypipe.runtime.instance import OWNER_PID_TAG, open_instance
from polypipe.runtime.running import by_hand
from polypipe.settings import Settings
from polypipe.text import bounded, count

FILE_OF = {spec.asset: spec.file for spec in CACHES}
LONGEST_REASON = 1000


@dataclass
class Outcome:
    """What a run did to one asset. `error` is None if it was materialized, else the reason, one line.

    `not_started`: an asset before it failed.
    """

    error: str | None
    rows: int = 0
    line: str = ""
    not_started: bool = False


@dataclass(frozen=True)
class Here:
    """Runs assets of `defs` on the instance of the home, in this process."""

    defs: dg.Definitions
    instance: dg.DagsterInstance

    def run(
        self,
        assets: Sequence[str],
        days: Range | None = None,
        config: Mapping[str, Any] | None = None,
        with_checks: bool = True,
    ) -> tuple[dict[str, Outcome], list[str]]:
        """One run of the assets, over `days` if they are partitioned. Returns the outcomes, and a line a failed check.

        Raises `KeyboardInterrupt` for Ctrl-C, which Dagster turns into a failure of the step.
        """
        selection = dg.AssetSelection.assets(*assets)
        checks = dg.AssetSelection.checks_for_assets(*assets)
        job = dg.define_asset_job("refresh", selection | checks if with_checks else selection - checks)
        merged = dg.Definitions.merge(self.defs, dg.Definitions(jobs=[job]))
        run_config: dict[str, Any] = {
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},  # our own lines are shorter
            "ops": dict(config or {}),
        }
        tags = {OWNER_PID_TAG: str(os.getpid())}
        if days is not None:
            tags |= {RANGE_START: days.first.isoformat(), RANGE_END: days.last.isoformat()}
        result = merged.resolve_job_def("refresh").execute_in_process(
            run_config=run_config, instance=self.instance, tags=tags, raise_on_error=False
        )
        if any(event.is_step_failure and _interrupted(event) for event in result.all_events):
            raise KeyboardInterrupt
        return _outcomes(result.all_events, assets), _failed_checks(result)


@contextmanager
def here(defs: dg.Definitions, settings: Settings) -> Iterator[Here]:
    """Open the instance of the home; a start of the servers meanwhile leaves the runs of this process alone."""
    with open_instance(settings.home, settings.postgres_url) as instance, by_hand(settings.home):
        yield Here(defs, instance)


def _interrupted(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error
    return error is not None and dg.DagsterExecutionInterruptedError.__name__ in (
        error.cls_name,
        error.cause.cls_name if error.cause else None,
    )


def failure_reason(event: dg.DagsterEvent) -> str:
    """The description of a `dg.Failure`, else the message of the exception, on one line."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return bounded(data.user_failure_data.description, LONGEST_REASON)
    error = data.error.cause or data.error if data.error else None
    return bounded(error.message, LONGEST_REASON) if error else "unknown reason"


def _outcomes(events: Sequence[dg.DagsterEvent], assets: Sequence[str]) -> dict[str, Outcome]:
    """Asset -> outcome, in the order of `assets`. One that did not run has the reason of what failed before it."""
    found: dict[str, Outcome] = {}
    stored: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        step = event.step_key or ""
        if event.is_step_failure:
            found[step] = Outcome(failure_reason(event))
        elif event.is_step_materialization:
            materialization = event.step_materialization_data.materialization
            stored.setdefault(step, []).append({k: v.value for k, v in materialization.metadata.items()})
        elif event.is_step_success and step in stored:
            seconds = (event.step_success_data.duration_ms or 0.0) / 1000
            rows = sum(one.get("dagster/partition_row_count", 0) for one in stored[step])
            found[step] = Outcome(None, rows, f"{_stored_line(step, stored[step], rows)}, {seconds:.2f} s")
    failed = ", ".join(asset for asset in found if asset in assets and found[asset].error)
    for asset in assets:
        found.setdefault(asset, Outcome(f"not started, because {failed or 'the run'} failed", not_started=True))
    return {asset: found[asset] for asset in assets}


def _failed_checks(result: dg.ExecuteInProcessResult) -> list[str]:
    return [
        f"{check.severity.value} {check.asset_key.to_user_string()}.{check.check_name}: {check.description}"
        for check in result.get_asset_check_evaluations()
        if not check.passed
    ]


def _stored_line(asset: str, partitions: Sequence[Mapping[str, Any]], rows: int) -> str:
    """What was stored, from the metadata of each materialized partition; one for an asset without partitions."""
    metadata = partitions[0]
    if asset in FILE_OF:
        entries = f"accepted, {metadata['dagster/row_count']} entries"
        if metadata["outcome"] == FIRST:
            entries = f"{entries}, {FIRST}"
        return f"{entries}, {metadata['added']} added, {metadata['removed']} removed, {metadata['changed']} changed"
    if asset == "sports_events":
        return f"{metadata['events']} events, {metadata['markets']} markets, {metadata['dagster/row_count']} tokens"
    text = "stored"
    if "dagster/partition_row_count" in metadata:
        text = f"{count(len(partitions), 'day')}, {count(rows, 'row')}"
    elif "dagster/row_count" in metadata:
        text = count(metadata["dagster/row_count"], "row")
    waiting = metadata.get("waiting_in_spool", "no")
    return text if waiting == "no" else f"{text}, waiting in the spool: {waiting}"
