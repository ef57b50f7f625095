"""Backfills in the running demo: README's recipe for the UI, over GraphQL, and `polypipe backfill`."""

import json
from datetime import date, timedelta

import pytest

from polypipe.attribution.stored_days import STORED_DAYS
from polypipe.orchestration.daily import RANGE_END
from polypipe.warehouse import Warehouse
from polypipe_tests.runtime.support import Server

pytestmark = pytest.mark.slow

DAYS = 6
FIRST_DAYS = 30
ASSETS = [*STORED_DAYS]
ROWS = """{ assetNodes(assetKeys: [%s]) {
  assetKey { path }
  assetMaterializations(partitions: ["%s"], limit: 1) { metadataEntries { label ... on IntMetadataEntry { intValue } } }
} }"""


def launch(server: Server, keys: list[str]) -> str:
    """Launch the job over a range of days, as the UI does: Jobs, backfill_history, Materialize, choose the days."""
    selection = ", ".join(f'{{path: ["{name}"]}}' for name in ASSETS)
    selector = (
        '{partitionSetName: "backfill_history_partition_set", '
        'repositorySelector: {repositoryLocationName: "polypipe", repositoryName: "__repository__"}}'
    )
    mutation = """mutation { launchPartitionBackfill(backfillParams: {
      selector: %s, assetSelection: [%s], partitionNames: %s, fromFailure: false}) {
      __typename
      ... on LaunchBackfillSuccess { backfillId }
      ... on PythonError { message }
    } }"""
    answer = server.query(mutation % (selector, selection, json.dumps(keys)))["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    return answer["backfillId"]


def state(server: Server, backfill: str):
    text = '{ partitionBackfillOrError(backfillId: "%s") { ... on PartitionBackfill { status } } }'
    data = server.query(text % backfill)
    return data and data["partitionBackfillOrError"]["status"]


@pytest.mark.timeout(600)
def test_a_backfill_launched_in_the_ui_fills_its_days(demo) -> None:
    """The first start fills the last 30 days; the backfill fills some of them again."""
    loaded = demo.wait_for(lambda: (demo.query("{ assetNodes { assetKey { path } } }") or {}).get("assetNodes"))
    assert {node["assetKey"]["path"][0] for node in loaded} >= set(ASSETS)
    last = demo.wait_for(lambda: last_day_of_the_first_fill(demo))
    keys = [str(last - timedelta(days=n)) for n in reversed(range(DAYS))]
    backfill = launch(demo, keys)
    mine = demo.wait_for(lambda: finished(demo, backfill))
    assert state(demo, backfill) in ("REQUESTED", "COMPLETED_SUCCESS")  # Dagster closes it up to 30 s later
    assert len(mine) == 1  # not one a day
    selection = ", ".join(f'{{path: ["{name}"]}}' for name in ASSETS)
    found = {}
    for node in demo.query(ROWS % (selection, keys[3]))["assetNodes"]:
        (materialization,) = node["assetMaterializations"]
        entries = {entry["label"]: entry for entry in materialization["metadataEntries"]}
        found[node["assetKey"]["path"][0]] = entries["dagster/partition_row_count"]["intValue"]
    assert found["wallet_pnl"] == 48
    assert found["copy_quality_daily"] == found["copy_metrics_daily"] == 3
    assert found["gap_attribution"] == 1
    assert found["wallet_activity"] > 0

    demo.wait_for(lambda: counted(demo)[:3] == (2 * (FIRST_DAYS * 24 + 1), FIRST_DAYS, FIRST_DAYS))
    assert counted(demo)[3] >= 1  # beta over 30 days


@pytest.mark.timeout(600)
def test_the_command_lets_the_running_servers_load_older_days(demo) -> None:
    """The first start fills the last 30 days. One older day is loaded by Dagster, by the runs of its own backfill."""
    last = demo.wait_for(lambda: last_day_of_the_first_fill(demo))
    day = str(last - timedelta(days=FIRST_DAYS))
    settings = {"POLYPIPE_HOME": str(demo.home)}
    loaded = demo.run("backfill", "wallet_pnl", "wallet_activity", "--from", day, "--to", day, "--wait", **settings)
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr
    _, requested, *_, complete = loaded.stdout.splitlines()
    assert complete == f"1 day of wallet_pnl, wallet_activity ({day}) is complete"
    backfill = requested.split()[2]
    assert requested == f"requested backfill {backfill} of 1 day: http://127.0.0.1:{demo.port}/runs/b/{backfill}"
    assert {key["path"][0] for run in runs_of(demo, backfill) for key in run["assetSelection"]} == {
        "wallet_pnl",
        "wallet_activity",
    }
    again = demo.run("backfill", "wallet_pnl", "--from", day, "--to", day, **settings)
    assert again.returncode == 0
    assert "nothing to load: " in again.stdout


def runs_of(server: Server, backfill: str) -> list[dict]:
    return [run for run in server.runs() if {"key": "dagster/backfill", "value": backfill} in run["tags"]]


def last_day_of_the_first_fill(server: Server) -> date | None:
    """The day before the demo started, which need not be yesterday."""
    tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in server.runs()]
    return next((date.fromisoformat(t[RANGE_END]) for t in tags if t.get("dagster/sensor_name") == "first_history"), None)


def finished(server: Server, backfill: str) -> list[dict]:
    """The runs of the backfill once all have succeeded, else an empty list."""
    runs = runs_of(server, backfill)
    assert "FAILURE" not in {run["status"] for run in runs}
    return runs if runs and {run["status"] for run in runs} == {"SUCCESS"} else []


def counted(server: Server):
    """Returns (hourly points, days, days with a known gap, days with a beta over 30 days)."""
    with Warehouse(server.home).read() as con:
        return con.execute(
            "SELECT (SELECT count(*) FROM wallet_pnl), count(*) FILTER (window_days = 1), "
            "count(gap) FILTER (window_days = 1), count(beta) FILTER (window_days = 30) FROM copy_quality_daily"
        ).fetchall()[0]
