"""Dagster's instance of one home: its configuration, and closing the runs that a crash left open.

dagster.yaml is written at each start; there is nothing to configure by hand. As a program it prepares the storage for a
start: it prints one line for each thing that it did.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from polypipe.errors import PolypipeError
from polypipe.files import one_at_a_time, replace_file
from polypipe.runtime.dagster_tables import MOVE_AWAY
from polypipe.runtime.postgres import check_driver
from polypipe.runtime.running import works_by_hand
from polypipe.runtime.storage_upgrade import FILES, stamp_events, upgrade_storage

if TYPE_CHECKING:
    import dagster as dg

OWNER_PID_TAG = "polypipe/pid"
"""Tag of runs with their own process (`polypipe refresh`): a start of the servers does not close them while it runs."""

DAGSTER_YAML = """\
# Written by polypipe at every start; changes made here are overwritten.
telemetry: {enabled: false}
nux: {enabled: false}  # no newsletter dialog

STORAGE
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager

# Writers of the warehouse take turns by whole runs, so that a waiting run needs no process.
concurrency:
  runs: {max_concurrent_runs: 3}
  pools: {default_limit: 1, granularity: run}
run_queue: {dequeue_interval_seconds: 1}

# The next tick is the retry.
run_retries: {enabled: false}
run_monitoring:
  enabled: true
  start_timeout_seconds: 300  # on a busy machine a launch took 45 s, after a sleep of the machine longer
  cancel_timeout_seconds: 60
  max_runtime_seconds: 3600
  poll_interval_seconds: 60
  free_slots_after_run_end_seconds: 60

# After an outage catch up one missed tick, not five stale ones.
scheduler:
  module: dagster.core.scheduler
  class: DagsterDaemonScheduler
  config: {max_catchup_runs: 1}
sensors: {use_threads: true, num_workers: 4}
schedules: {use_threads: true, num_workers: 2}

retention:
  schedule: {purge_after_days: 7}
  sensor: {purge_after_days: {skipped: 2, success: 7, failure: 30, started: 7}}
"""


SQLITE = """\
# One SQLite file for all events: 20 kB per run instead of a file of 131 kB each, and deletes free space for reuse.
event_log_storage:
  module: dagster._core.storage.event_log
  class: ConsolidatedSqliteEventLogStorage
  config: {base_dir: {env: DAGSTER_HOME}}
"""

POSTGRES_URL = "POLYPIPE_POSTGRES_URL"
POSTGRES = f"""\
storage:
  postgres:
    postgres_url: {{env: {POSTGRES_URL}}}
"""


def dagster_home(home: Path, postgres: bool = False) -> Path:
    """`$POLYPIPE_HOME/dagster`, after writing dagster.yaml for SQLite or `postgres` storage. Writes no secret."""
    directory = home / "dagster"
    config = directory / "dagster.yaml"
    content = DAGSTER_YAML.replace("STORAGE\n", POSTGRES if postgres else SQLITE)
    if not config.exists() or config.read_text(encoding="utf-8") != content:
        replace_file(config, content.encode())
    return directory


@contextmanager
def open_instance(home: Path, postgres_url: str | None = None) -> Iterator["dg.DagsterInstance"]:
    """Dagster's instance of this home, for use in this process."""
    if postgres_url is not None:
        check_driver()

    import dagster as dg

    directory = dagster_home(home, postgres_url is not None)
    os.environ["DAGSTER_HOME"] = str(directory)  # dagster.yaml reads these variables
    if postgres_url is not None:
        os.environ[POSTGRES_URL] = postgres_url
    with one_at_a_time(directory / "opening.lock"):  # created by two processes at once, the storage would keep two versions
        new = postgres_url is None and not (directory / FILES[0]).exists()
        opened = dg.DagsterInstance.from_config(str(directory))
        if new:
            stamp_events(opened, directory)
    with opened as instance:
        yield instance


def close_abandoned_runs(instance: "dg.DagsterInstance", home: Path) -> list[str]:
    """Mark runs that no process works on as failed, which frees their pools. Returns their ids.

    Call this before the servers start, when only a `polypipe refresh` with its own process can be running.
    """
    import dagster as dg

    status = dg.DagsterRunStatus
    unfinished = dg.RunsFilter(statuses=[status.NOT_STARTED, status.STARTING, status.STARTED, status.CANCELING])
    closed = []
    for run in instance.get_runs(unfinished):
        owner = run.tags.get(OWNER_PID_TAG)
        if owner and works_by_hand(home, int(owner)):
            continue
        instance.report_run_failed(run, "polypipe was killed or stopped during this run")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        closed.append(run.run_id)
    return closed


def _prepare(home: Path, postgres_url: str | None) -> None:
    from polypipe.runtime.clock import rewind

    with open_instance(home, postgres_url) as instance:
        if done := upgrade_storage(instance, home / "dagster", datetime.now(UTC), copied=postgres_url is None):
            print(done)
        rewind(instance, time.time())  # or nothing would tick after a clock was corrected backwards
        for run_id in close_abandoned_runs(instance, home):
            print(f"closed run {run_id}, left open by an earlier stop")


if __name__ == "__main__":  # a process of its own, because Dagster's 70 MB would stay in `polypipe up`
    from sqlalchemy.exc import DBAPIError

    try:
        _prepare(Path(sys.argv[1]), os.environ.get(POSTGRES_URL))
    except PolypipeError as error:
        sys.exit(str(error))
    except DBAPIError as broken:  # `polypipe up` shows the last line
        line = " ".join(str(broken.orig).split())
        sys.exit(line if POSTGRES_URL in os.environ else f"{line}: {MOVE_AWAY}")
