"""`polypipe refresh`: materialize assets now, in this process, without servers; for cron."""

import os
import time
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

import dagster as dg
from rich.console import Console

from polypipe.caches.publish import FIRST
from polypipe.caches.registry import CACHES
from polypipe.definitions import build_defs
from polypipe.errors import PolypipeError
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import CrawlReport
from polypipe.runtime.instance import OWNER_PID_TAG, open_instance
from polypipe.runtime.running import by_hand
from polypipe.settings import Settings

CRAWL = "sports_events"
DEFAULT = (CRAWL, *(spec.asset for spec in CACHES))
FILE_OF = {spec.asset: spec.file for spec in CACHES}

Say = Callable[[str], None]


def refresh(settings: Settings, names: Sequence[str], allow_shrink: bool, say: Say) -> bool:
    """Materialize the assets (default: the crawl and every cache file) and print one line for each.

    Returns True if all succeeded. Raises `PolypipeError` for an unknown asset.
    """
    console = Console(stderr=True)
    with console.status("starting") as status:

        def progress(report: CrawlReport) -> None:
            status.update(
                f"crawling: page {report.pages}, {report.events} events, {report.markets} markets, "
                f"{report.bytes / 1e6:.0f} MB, {report.seconds:.0f} s"
            )

        defs = build_defs(settings=settings, polymarket=Polymarket.of(settings, progress))
        known = sorted(key.to_user_string() for key in defs.resolve_asset_graph().materializable_asset_keys)
        wanted = list(names) or list(DEFAULT)
        for name in wanted:
            if name not in known:
                meant = get_close_matches(name, known, 1)
                hint = f"did you mean {meant[0]}?" if meant else None
                raise PolypipeError(f"unknown asset {name!r}; choose from {', '.join(known)}", hint)
        began = time.monotonic()
        result = _materialize(defs, settings, wanted, allow_shrink)
    for line in _lines(result, wanted):
        say(line)
    say(f"{'done' if result.success else 'FAILED'} in {time.monotonic() - began:.1f} s")
    return result.success


def _materialize(
    defs: dg.Definitions, settings: Settings, wanted: Sequence[str], allow_shrink: bool
) -> dg.ExecuteInProcessResult:
    selection = dg.AssetSelection.assets(*wanted)
    job = dg.define_asset_job("refresh", selection | dg.AssetSelection.checks_for_assets(*wanted))
    with_job = dg.Definitions.merge(defs, dg.Definitions(jobs=[job]))
    config: dict[str, Any] = {
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},  # our own lines are shorter
        "ops": {name: {"config": {"allow_shrink": allow_shrink}} for name in wanted if name in FILE_OF},
    }
    with open_instance(settings.home, settings.postgres_url) as instance, by_hand(settings.home):
        return with_job.resolve_job_def("refresh").execute_in_process(
            run_config=config, instance=instance, tags={OWNER_PID_TAG: str(os.getpid())}, raise_on_error=False
        )


def _lines(result: dg.ExecuteInProcessResult, wanted: Sequence[str]) -> list[str]:
    """One line an asset, in the order of `wanted`, then one a failed check."""
    outcomes: dict[str, str] = {}
    failed_checks = []
    for event in result.all_events:
        step = event.step_key or ""
        if event.is_step_failure:
            outcomes[step] = f"{FILE_OF.get(step, step)}: NOT accepted: {_reason(event)}"
        elif event.is_step_materialization:
            materialization = event.step_materialization_data.materialization
            outcomes[step] = _accepted(step, {k: v.value for k, v in materialization.metadata.items()})
        elif event.is_step_success and step in outcomes:
            milliseconds = event.step_success_data.duration_ms or 0.0
            outcomes[step] += f", {milliseconds / 1000:.2f} s"
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                name = f"{check.asset_key.to_user_string()}.{check.check_name}"
                failed_checks.append(f"{check.severity.value} {name}: {check.description}")
    return [
        outcomes.get(name, f"{FILE_OF.get(name, name)}: NOT refreshed: the crawl before it failed") for name in wanted
    ] + failed_checks


def _accepted(step: str, metadata: dict[str, Any]) -> str:
    if step not in FILE_OF:
        return f"{step}: {metadata['events']} events, {metadata['markets']} markets, {metadata['dagster/row_count']} tokens"
    entries = f"{FILE_OF[step]}: accepted, {metadata['dagster/row_count']} entries"
    if metadata["outcome"] == FIRST:
        entries = f"{entries}, {FIRST}"
    return f"{entries}, {metadata['added']} added, {metadata['removed']} removed, {metadata['changed']} changed"


def _reason(event: dg.DagsterEvent) -> str:
    """The description of a `dg.Failure`, else the message of the exception, on one line."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error.cause or data.error if data.error else None
    return " ".join(error.message.split()) if error else "unknown reason"
