"""Measures how a home grows over a month, with the nightly upkeep and without it as the baseline.

    .venv/bin/python bench/growth.py

Simulates thirty days per variant, each in one process, on a clock that jumps (Debian's library `faketime`). The code of
warehouse, publishing, Dagster's instance and upkeep is real, and so are files and databases. Only the number of minutes
in a day is scaled: 4 of 1,440. Each minute writes a snapshot, its events without a run, the ticks of ten sensors and
schedules, and one run with a crawl's rows, four checks and a publication, which is the average of real minutes. Each day
has a partition's run with a day of activity, and the daemon's own purging of ticks. So a store's daily growth is 1/360 of
the real growth; days, files and `CURRENT.json` are true to scale.

Runs of partitions are kept for ever, and one per day is not scaled, so they are most of the remaining growth. All other
runs and events are counted separately.

Exits with 1 when, with upkeep, there are more runs or events without partitions on day 30 than on day 20, when Dagster's
storage then grows by more than a sixth of the baseline, when the published files are more than half of the baseline's, or
when a row, a partition or a last event differs between the variants.
"""

import ctypes.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
DAYS = 30
MINUTES = 4  # of 1,440
INSTIGATORS = 10
TOKENS = 2_000
MEASURED_DAYS = (10, 20, 30)
STORES = {
    "database": "polypipe.duckdb*",
    "published": "published/*",
    "CURRENT.json": "CURRENT.json",
    "Dagster's runs": "dagster/history/*",
    "Dagster's events": "dagster/event_log.db*",
    "Dagster's ticks": "dagster/schedules/*",
}
READER = """
import json, pathlib, resource, sys, time
from polypipe.warehouse import Warehouse
from polypipe.warehouse.follow import FollowingReader
warehouse = Warehouse(pathlib.Path(sys.argv[1]))
with warehouse.read(pending=False):
    pass
taken = []
for _ in range(7):
    began = time.process_time()
    with warehouse.read(pending=False) as con:
        con.execute("SELECT count(*) FROM snapshots").fetchall()
    taken.append(time.process_time() - began)
with FollowingReader(warehouse, 60) as reader, reader.cursor() as con:
    con.execute("SELECT count(*) FROM snapshots").fetchall()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([sorted(taken)[3] * 1000, peak]))
"""


class Clock:
    """The time of this process, which faketime reads at each call of the clock."""

    def __init__(self) -> None:
        self._file = Path(os.environ["FAKETIME_TIMESTAMP_FILE"])

    def set(self, moment: datetime) -> None:
        self._file.write_text(f"@{moment:%Y-%m-%d %H:%M:%S}")


def simulate(home: Path, kept: bool) -> None:
    """Simulate thirty days. Prints one JSON object per measurement to stdout."""
    import dagster as dg
    import sqlalchemy as db
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.scheduler.instigation import TickData, TickStatus
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events

    from polypipe.maintenance.assets import keep_up
    from polypipe.runtime.instance import open_instance
    from polypipe.settings import load_settings
    from polypipe.warehouse import Append, Replace, Upsert, Warehouse, Window

    settings = load_settings(overrides={"POLYPIPE_HOME": str(home)}, environ={})
    warehouse, clock = Warehouse(home), Clock()
    # Starts in the future, because files have real times and replaced ones must look old.
    first = datetime.fromisoformat(sys.argv[4])
    partitions = dg.DailyPartitionsDefinition(start_date=f"{first:%Y-%m-%d}", end_offset=1)

    def specs() -> list[dg.AssetCheckSpec]:
        return [dg.AssetCheckSpec(name, asset="live") for name in ("entries", "coverage", "changes", "age")]

    def write(name: str, rows: dict[str, tuple[Any, list[dict[str, Any]]]]) -> None:
        with warehouse.batch(name) as batch:
            for table, (_, those) in rows.items():
                batch.add(table, those)
            batch_id = batch.commit({table: mode for table, (mode, _) in rows.items()})
        warehouse.merge(own=batch_id)

    @dg.asset(name="live", check_specs=specs())
    def live() -> Any:
        now = datetime.now(UTC)
        name = f"{now:%Y%m%dT%H%M%S}"
        crawl = {"crawl_id": name, "kind": "universe", "finished_at": now, "complete": True, "pages": 50}
        published = {"publication_id": name, "file": ".live_cache.json", "time": now, "accepted": True, "sha256": "0" * 64}
        tokens = [
            {"token_id": str(10**76 + n), "market_id": str(n), "event_id": str(n // 9), "slug": f"atp-one-two-{n}",
             "neg_risk": False, "live": n % 7 == 0, "is_ligue1": False, "is_tennis": True, "is_atp": True, "crawl_id": name}
            for n in range(TOKENS)
        ]  # fmt: skip
        write(
            "crawl", {"crawls": (Append(), [crawl]), "publications": (Append(), [published]), "tokens": (Replace(), tokens)}
        )
        yield dg.MaterializeResult(metadata={f"number_{n}": n * 1.5 for n in range(15)})
        for spec in specs():
            yield dg.AssetCheckResult(check_name=spec.name, passed=True, description="as it should be", metadata={"n": 1})

    @dg.asset(name="history", partitions_def=partitions)
    def history(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        start = context.partition_time_window.start.astimezone(UTC)
        rows = [
            {"key": f"{context.partition_key}-{n}", "day": start.date(), "wallet": "0x" + "ab" * 20, "type": "TRADE",
             "timestamp": start + timedelta(seconds=400 * n), "asset": str(10**76 + n), "size": n * 1.1, "price": 0.5,
             "transaction_hash": f"0x{n:064x}", "title": "Someone vs. Someone else", "slug": "atp-one-two",
             "event_slug": "atp-one-two", "outcome": "Someone", "occurrence": 0}
            for n in range(200)
        ]  # fmt: skip
        write("history", {"wallet_activity": (Window("timestamp", start, start + timedelta(days=1)), rows)})
        return dg.MaterializeResult(metadata={"dagster/row_count": len(rows)})

    definitions = dg.Definitions(
        assets=[live, history],
        jobs=[
            dg.define_asset_job("live_job", [live], executor_def=dg.in_process_executor),
            dg.define_asset_job("history_job", [history], executor_def=dg.in_process_executor),
        ],
    )
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with open_instance(home) as instance:

        def minute(now: datetime, number: int) -> None:
            row: dict[str, Any] = dict.fromkeys(("user1_value", "user1_pnl", "user2_value", "user2_pnl"), number * 0.37)
            row |= {"id": int(now.timestamp() * 1000), "timestamp": now, "reasons": "{}", "origin": "polypipe"}
            write("snapshot", {"snapshots": (Upsert(("id",)), [row])})
            key = dg.AssetKey("divergence_snapshot")
            instance.report_runless_asset_event(
                dg.AssetMaterialization(key, metadata={f"number_{n}": 0.1 * n for n in range(20)})
            )
            for name in ("recent", "complete", "gaps"):
                check = dg.AssetCheckEvaluation(
                    asset_key=key, check_name=name, passed=True, description="fine", metadata={"n": 1}
                )
                instance.report_runless_asset_event(check)
            for instigator in range(INSTIGATORS):
                instance.create_tick(
                    TickData(
                        instigator_origin_id=f"origin-{instigator}",
                        instigator_name=f"sensor_{instigator}",
                        instigator_type=InstigatorType.SENSOR,
                        status=TickStatus.SKIPPED,
                        timestamp=now.timestamp(),
                        selector_id=f"selector-{instigator}",
                        run_ids=[],
                        skip_reason="every file is fresh enough",
                    )
                )
            definitions.resolve_job_def("live_job").execute_in_process(instance=instance, run_config=quiet)

        for day in range(DAYS):
            began = time.process_time()
            for number in range(MINUTES):
                now = first + timedelta(days=day, minutes=number * 1440 // MINUTES)
                clock.set(now)
                minute(now, number)
            spent = time.process_time() - began
            job = definitions.resolve_job_def("history_job")
            partition = f"{first + timedelta(days=day):%Y-%m-%d}"
            job.execute_in_process(instance=instance, run_config=quiet, partition_key=partition)
            clock.set(first + timedelta(days=day, hours=23, minutes=50))
            for instigator in range(INSTIGATORS):  # as the daemon does at each tick
                before = time.time() - 2 * 86_400
                instance.purge_ticks(f"origin-{instigator}", f"selector-{instigator}", before=before)
            seconds = 0.0
            if kept:
                began = time.process_time()
                keep_up(instance, settings, warehouse)
                seconds = time.process_time() - began
            if day + 1 in MEASURED_DAYS:
                counts = ", ".join(
                    f"(SELECT count(*) FROM {table})" for table in ("snapshots", "wallet_activity", "crawls")
                )
                with warehouse.read(pending=False) as con:
                    rows = con.execute(f"SELECT {counts}, (SELECT sum(hash(s)) FROM snapshots AS s)").fetchall()[0]
                last = instance.get_latest_materialization_event(dg.AssetKey("live"))
                of_partitions = [run.run_id for run in instance.get_runs(dg.RunsFilter(job_name="history_job"))]
                with instance.event_log_storage.index_connection() as con:  # type: ignore[attr-defined]
                    other = db.select(db.func.count()).where(Events.c.run_id.not_in(of_partitions))
                    other_events = con.execute(other).scalar_one()
                answer = {
                    "day": day + 1,
                    "minute_cpu_ms": spent / MINUTES * 1000,
                    "upkeep_cpu_s": seconds,
                    "runs without partitions": instance.get_runs_count() - len(of_partitions),
                    "events without partitions": other_events,
                    "process_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                    "same": [
                        *map(str, rows),
                        len(instance.get_materialized_partitions(dg.AssetKey("history"))),
                        last is not None and last.timestamp > time.time() - 86_400,
                    ],
                }
                print(json.dumps(answer), flush=True)
                sys.stdin.readline()


def measure(home: Path) -> dict[str, float]:
    """Measure the sizes of the stores and the cost of a reader."""
    found: dict[str, float] = {}
    for store, pattern in STORES.items():
        found[f"{store}, kB"] = sum(path.stat().st_size for path in home.glob(pattern)) / 1000
    found["published files"] = len(list(home.glob("published/*.parquet")))
    done = subprocess.run([sys.executable, "-c", READER, str(home)], capture_output=True, text=True, check=True)
    found["opening a reader, CPU ms"], found["follower, peak MB"] = json.loads(done.stdout)
    return found


def run(way: str, directory: Path, first: date) -> list[dict[str, Any]]:
    """Run one variant to its end."""
    home, clock = directory / way, directory / f"{way}.clock"
    clock.write_text(f"@{first:%Y-%m-%d} 00:00:00")
    fake = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"}  # fmt: skip
    command = [sys.executable, __file__, "--child", str(home), way, f"{first:%Y-%m-%d}T00:00:00+00:00"]
    child = subprocess.Popen(command, env=os.environ | fake, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin
    assert child.stdout
    measured = []
    for line in child.stdout:
        answer = json.loads(line)
        measured.append(answer | measure(home))
        child.stdin.write("\n")
        child.stdin.flush()
    if child.wait():
        raise SystemExit(f"the simulation of {way!r} failed")
    return measured


def main() -> int:
    if not LIBRARY.exists() or ctypes.util.find_library("c") is None:
        print(f"skipped: this needs {LIBRARY} (Debian: apt-get install libfaketime)")
        return 0
    first = datetime.now(UTC).date() + timedelta(days=2)
    with tempfile.TemporaryDirectory(prefix="polypipe-growth-") as directory:
        results = {way: run(way, Path(directory), first) for way in ("kept", "unpruned")}
    kept, unpruned = results["kept"], results["unpruned"]
    print(f"{DAYS} days of {MINUTES} minutes (of 1,440): with upkeep each night, and without")
    days = "".join(f"{f'day {day}':>12}" for day in MEASURED_DAYS)
    print(f"{'':26}{days}   |{days}{'ratio at the end':>20}")
    for name in kept[0]:
        if name in ("day", "same"):
            continue
        ours, theirs = [found[name] for found in kept], [found[name] for found in unpruned]
        ratio = f"{ours[-1] / theirs[-1]:20.2f}" if theirs[-1] else f"{'-':>20}"
        figures = ["".join(f"{value:12.1f}" for value in values) for values in (ours, theirs)]
        print(f"{name:26}{figures[0]}   |{figures[1]}{ratio}")
    dagster = {
        way: [sum(value for name, value in found.items() if name.startswith("Dagster")) for found in measured]
        for way, measured in results.items()
    }
    grown = {way: sizes[2] - sizes[1] for way, sizes in dagster.items()}
    targets = {
        "no more runs or events without partitions on day 30 than on day 20": all(
            kept[2][name] <= kept[1][name] for name in ("runs without partitions", "events without partitions")
        ),
        "Dagster's storage grows by a sixth of the baseline at most": grown["kept"] * 6 <= grown["unpruned"],
        "at most half as many published files": kept[-1]["published files"] * 2 <= unpruned[-1]["published files"],
        "rows, partitions and last events are the same": [found["same"] for found in kept]
        == [found["same"] for found in unpruned],
    }
    missed = [name for name, reached in targets.items() if not reached]
    print("targets: all reached" if not missed else f"targets MISSED: {'; '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        simulate(Path(sys.argv[2]), sys.argv[3] == "kept")
    else:
        sys.exit(main())
