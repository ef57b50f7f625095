"""Writes the storage of an older Dagster for `test_storage_upgrade.py`: two filled days of an asset and a failed run.

python -m venv --without-pip old && uv pip install --python old/bin/python dagster==1.12.22
old/bin/python polypipe_tests/runtime/storages/make.py
"""

import gzip
import json
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import dagster as dg

CONFIG = """\
telemetry: {enabled: false}
event_log_storage:
  module: dagster._core.storage.event_log
  class: ConsolidatedSqliteEventLogStorage
  config: {base_dir: {env: DAGSTER_HOME}}
"""


@dg.asset(partitions_def=dg.DailyPartitionsDefinition("2026-01-01"))
def wallet_activity() -> Any:
    return dg.MaterializeResult(metadata={"rows": 7})


@dg.op
def fails() -> None:
    raise ValueError("no answer")


@dg.job
def crawl() -> None:
    fails()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "dagster.yaml").write_text(CONFIG)
        os.environ["DAGSTER_HOME"] = name
        with dg.DagsterInstance.from_config(name) as instance:
            for day in ("2026-01-05", "2026-01-06"):
                assert dg.materialize([wallet_activity], instance=instance, partition_key=day).success
            assert not crawl.execute_in_process(instance=instance, raise_on_error=False).success
        dumps = {}
        for file in ("event_log.db", "history/runs.db", "schedules/schedules.db"):
            dumps[file] = "\n".join(sqlite3.connect(home / file).iterdump())
    target = Path(__file__).parent / f"dagster-{dg.__version__}.json.gz"
    with gzip.GzipFile(target, "wb", mtime=0) as out:
        out.write(json.dumps(dumps).encode())


if __name__ == "__main__":
    main()
