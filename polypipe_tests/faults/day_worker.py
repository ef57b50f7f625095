"""`python -m polypipe_tests.faults.day_worker`: does the work of Dagster's daemon in one process.

Definitions, instance, client and warehouse are real, but all ticks and runs are in this process, because one process per
run cannot keep up with a fast clock. Reads commands from stdin, one JSON object a line, and reports the start and the
result of each task on stdout. Settings come from the environment, `DAY_PATIENCE` as in `day.py`.
"""

import json
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile

import dagster as dg
import httpx
from dagster._utils.schedules import schedule_execution_time_iterator

from polypipe.definitions import build_defs
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PolymarketHttp
from polypipe.runtime.instance import OWNER_PID_TAG, close_abandoned_runs, open_instance
from polypipe.settings import load_settings
from polypipe.warehouse import Warehouse

PATIENCE = float(os.environ.get("DAY_PATIENCE", "1"))
SNAPSHOTS = "divergence_snapshot_sensor"
STANDARD = "STANDARD"


class ImpatientHttp(PolymarketHttp):
    """The client with all deadlines and pauses scaled down, so that a fault takes seconds instead of minutes."""

    async def __aenter__(self):
        await super().__aenter__()
        self._client.timeout = httpx.Timeout(30.0 * PATIENCE, connect=5.0)
        return self

    def operation(self, seconds):
        return super().operation(seconds * PATIENCE)


class Pipeline:
    """The definitions of one home, and the tasks that they can run."""

    def __init__(self, stack: ExitStack) -> None:
        self.settings = load_settings()
        hosts = Polymarket.of(self.settings).hosts
        client = partial(ImpatientHttp, backoff=0.5 * PATIENCE) if PATIENCE != 1 else PolymarketHttp
        self.resources = {
            "settings": self.settings,
            "warehouse": Warehouse(self.settings.home),
            "polymarket": Polymarket(hosts, client=client),
        }
        self.instance = stack.enter_context(open_instance(self.settings.home))
        close_abandoned_runs(self.instance, self.settings.home)  # as `polypipe up` does
        self.defs = build_defs(**self.resources)
        self.repository = self.defs.get_repository_def()
        self.sensors = {s.name: s for s in self.repository.sensor_defs if s.sensor_type.name == STANDARD}
        self.schedules = {s.name: s for s in self.repository.schedule_defs}
        self.cursors: dict[str, str | None] = {}
        self.run_keys: set[str] = set()
        report(event="ready", sensors=sorted(self.sensors), schedules=sorted(self.schedules))

    def job(self, name: str, tags: dict[str, str] | None = None) -> list[str]:
        """Run a job. Returns the reasons of its failed steps."""
        result = self.defs.resolve_job_def(name).execute_in_process(
            instance=self.instance,
            tags={**(tags or {}), OWNER_PID_TAG: str(os.getpid())},  # so that the start of another worker does not close it
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        reasons = [reason(event) for event in result.all_events if event.is_step_failure]
        return reasons if reasons or result.success else ["the run failed, no step says why"]

    def sensor(self, name: str) -> tuple[list[tuple[str, dict[str, str]]], str | None]:
        """Evaluate a tick and report its events. Returns the requested jobs and the skip reason."""
        sensor = self.sensors[name]
        with dg.build_sensor_context(
            instance=self.instance, resources=self.resources, cursor=self.cursors.get(name), repository_def=self.repository
        ) as context:
            data = sensor.evaluate_tick(context)
        if data.cursor is not None:
            self.cursors[name] = data.cursor
        for event in data.asset_events or []:
            self.instance.report_runless_asset_event(event)
        return self.wanted(sensor, data.run_requests), data.skip_message

    def schedule(self, name: str) -> tuple[list[tuple[str, dict[str, str]]], str | None]:
        """Evaluate a schedule's current tick."""
        schedule = self.schedules[name]
        with dg.build_schedule_context(
            instance=self.instance,
            resources=self.resources,
            scheduled_execution_time=datetime.now(UTC),
            repository_def=self.repository,
        ) as context:
            data = schedule.evaluate_tick(context)
        return self.wanted(schedule, data.run_requests), data.skip_message

    def wanted(self, automation, requests) -> list[tuple[str, dict[str, str]]]:
        """Job and tags of each request; requests with a run key count once."""
        fresh = [request for request in requests or [] if request.run_key is None or request.run_key not in self.run_keys]
        self.run_keys.update(request.run_key for request in fresh if request.run_key is not None)
        return [(request.job_name or automation.job_name, dict(request.tags)) for request in fresh]

    def ticks(self, start: float, end: float) -> dict[str, list[float]]:
        """The tick times of each schedule in a span of time."""
        return {
            name: list(takewhile(lambda at: at < end, (at.timestamp() for at in cron_times(schedule, start))))
            for name, schedule in self.schedules.items()
        }

    def follow(self, only_snapshots: bool, stopped: threading.Event) -> None:
        """Run due ticks until stdin closes: only the snapshot sensor, or everything else."""
        sensors = [n for n in self.sensors if (n == SNAPSHOTS) == only_snapshots]
        schedules = [] if only_snapshots else list(self.schedules)
        due = {("sensor", name): time.time() for name in sensors}
        due |= {("schedule", name): next_time(self.schedules[name], time.time()) for name in schedules}
        while not stopped.is_set():
            now = time.time()
            (kind, name), at = min(due.items(), key=lambda item: item[1])
            if at > now:
                time.sleep(0.02)
                continue
            if kind == "sensor":
                asked = piece(kind, name, partial(self.sensor, name))
                interval = self.sensors[name].minimum_interval_seconds or 30
                now = time.time()
                due[kind, name] = (math.floor(now / interval) + 1) * interval
            else:
                asked = piece(kind, name, partial(self.schedule, name))
                due[kind, name] = next_time(self.schedules[name], time.time())
            for job, tags in asked[0] if asked else []:
                piece("job", job, partial(self.job, job, tags))


def cron_times(schedule: dg.ScheduleDefinition, start: float) -> Iterator[datetime]:
    """The schedule's tick times from `start` on, as Dagster's scheduler iterates them."""
    return schedule_execution_time_iterator(start, schedule.cron_schedule, schedule.execution_timezone or "UTC")


def next_time(schedule, after: float) -> float:
    return next(iter(cron_times(schedule, after + 1))).timestamp()


def reason(event: dg.DagsterEvent) -> str:
    """The reason of a failed step, as `polypipe refresh` prints it."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    assert data.error is not None
    error = data.error.cause or data.error
    return " ".join(error.message.split())


def piece(kind: str, name: str, work):
    """Run a task and report its start and result. Returns its value, None if it raised."""
    report(event="begin", kind=kind, name=name)
    try:
        result = work()
    except Exception as error:
        report(event="end", kind=kind, name=name, ok=False, reasons=[f"{type(error).__name__}: {error}"])
        return None
    reasons = result if kind == "job" else []
    found = {"asked": result[0], "skipped": result[1]} if kind in ("sensor", "schedule") else {"result": result}
    report(event="end", kind=kind, name=name, ok=not reasons, reasons=reasons, **found)
    return result


def report(**what) -> None:
    print(json.dumps({"at": time.time(), "monotonic": time.monotonic(), **what}), file=OUT, flush=True)


def main() -> None:
    with ExitStack() as stack:
        pipeline = Pipeline(stack)
        for line in sys.stdin:
            command = json.loads(line)
            kind, name, arguments = command["kind"], command.get("name", ""), command.get("arguments", {})
            if kind == "follow":
                stopped = threading.Event()
                threading.Thread(target=lambda done=stopped: (sys.stdin.read(), done.set()), daemon=True).start()
                pipeline.follow(stopped=stopped, **arguments)
                return
            work = getattr(pipeline, kind)
            piece(kind, name, partial(work, *([name] if name else []), **arguments))


if __name__ == "__main__":
    OUT, sys.stdout = sys.stdout, sys.stderr  # keeps output of libraries out of the messages
    main()
