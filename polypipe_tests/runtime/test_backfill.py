"""A backfill in the running demo, launched over GraphQL like in the UI."""

import json
from datetime import date, timedelta

import pytest

from polypipe.history.assets import COPY_QUALITY, WALLET_ACTIVITY, WALLET_PNL
from polypipe.orchestration.daily import RANGE_END
from polypipe.warehouse import Warehouse
from polypipe_tests.runtime.support import Server

pytestmark = pytest.mark.slow

DAYS = 6
FIRST_DAYS = 30
ASSETS = [key.to_user_string() for key in (WALLET_PNL, WALLET_ACTIVITY, COPY_QUALITY)]
ROWS = """{ assetNodes(assetKeys: [%s]) {
  assetKey { path }
  assetMaterializations(partitions: ["%s"], limit: 1) { metadataEntries { label ... on IntMetadataEntry { intValue } } }
} }"""


def launch(server: Server, keys: list[str]) -> str:
    selection = ", ".join(f'{{path: ["{name}"]}}' for name in ASSETS)
    mutation = """mutation { launchPartitionBackfill(backfillParams: {assetSelection: [%s], partitionNames: %s}) {
      __typename
      ... on LaunchBackfillSuccess { backfillId }
      ... on PythonError { message }
    } }"""
    answer = server.query(mutation % (selection, json.dumps(keys)))["launchPartitionBackfill"]
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
    assert 1 <= len(mine) <= len(ASSETS)  # not one a day
    selection = ", ".join(f'{{path: ["{name}"]}}' for name in ASSETS)
    found = {}
    for node in demo.query(ROWS % (selection, keys[3]))["assetNodes"]:
        (materialization,) = node["assetMaterializations"]
        entries = {entry["label"]: entry for entry in materialization["metadataEntries"]}
        found[node["assetKey"]["path"][0]] = entries["dagster/partition_row_count"]["intValue"]
    assert found["wallet_pnl"] == 48
    assert found["copy_quality_daily"] == 3
    assert found["wallet_activity"] > 0

    demo.wait_for(lambda: counted(demo)[:3] == (2 * (FIRST_DAYS * 24 + 1), FIRST_DAYS, FIRST_DAYS))
    assert counted(demo)[3] >= 1  # beta over 30 days


def last_day_of_the_first_fill(server: Server) -> date | None:
    """The day before the demo started, which need not be yesterday."""
    tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in server.runs()]
    return next((date.fromisoformat(t[RANGE_END]) for t in tags if t.get("dagster/sensor_name") == "first_history"), None)


def finished(server: Server, backfill: str) -> list[dict]:
    """The runs of the backfill once they have succeeded for every asset, else an empty list."""
    runs = [run for run in server.runs() if {"key": "dagster/backfill", "value": backfill} in run["tags"]]
    assert "FAILURE" not in {run["status"] for run in runs}
    done = {key["path"][0] for run in runs if run["status"] == "SUCCESS" for key in run["assetSelection"]}
    return runs if done >= set(ASSETS) else []


def counted(server: Server):
    """Returns (hourly points, days, days with a known gap, days with a beta over 30 days)."""
    with Warehouse(server.home).read() as con:
        return con.execute(
            "SELECT (SELECT count(*) FROM wallet_pnl), count(*) FILTER (window_days = 1), "
            "count(gap) FILTER (window_days = 1), count(beta) FILTER (window_days = 30) FROM copy_quality_daily"
        ).fetchall()[0]
