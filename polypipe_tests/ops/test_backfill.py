"""A backfill of 30 days as it is started in the UI: over GraphQL, in the running demo."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from polypipe.history.assets import COPY_QUALITY, WALLET_ACTIVITY, WALLET_PNL
from polypipe.warehouse import Warehouse
from polypipe_tests.ops.support import Server

DAYS = 30
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
def test_a_backfill_of_30_days_from_the_ui(tmp_path) -> None:
    server = Server(tmp_path)
    try:
        loaded = server.wait_for(lambda: (server.query("{ assetNodes { assetKey { path } } }") or {}).get("assetNodes"))
        assert {node["assetKey"]["path"][0] for node in loaded} >= set(ASSETS)
        yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
        keys = [str(yesterday - timedelta(days=n)) for n in reversed(range(DAYS))]
        backfill = launch(server, keys)
        ended = ("COMPLETED_SUCCESS", "COMPLETED_FAILED", "COMPLETED", "FAILED", "CANCELED")
        assert server.wait_for(lambda: (s := state(server, backfill)) in ended and s, 420) == "COMPLETED_SUCCESS"

        mine = [run for run in server.runs() if {"key": "dagster/backfill", "value": backfill} in run["tags"]]
        assert 1 <= len(mine) <= len(ASSETS)  # not one a day
        selection = ", ".join(f'{{path: ["{name}"]}}' for name in ASSETS)
        found = {}
        for node in server.query(ROWS % (selection, keys[3]))["assetNodes"]:
            (materialization,) = node["assetMaterializations"]
            entries = {entry["label"]: entry for entry in materialization["metadataEntries"]}
            found[node["assetKey"]["path"][0]] = entries["dagster/partition_row_count"]["intValue"]
        assert found["wallet_pnl"] == 48
        assert found["copy_quality_daily"] == 3
        assert found["wallet_activity"] > 0

        with Warehouse(server.home).read() as con:
            points = con.execute("SELECT count(*) FROM wallet_pnl").fetchall()[0][0]
            known = con.execute("SELECT count(*), count(gap) FROM copy_quality_daily WHERE window_days = 1").fetchall()[0]
            longest = con.execute("SELECT count(beta) FROM copy_quality_daily WHERE window_days = 30").fetchall()[0][0]
        assert points == 2 * (DAYS * 24 + 1)
        assert known == (DAYS, DAYS)
        assert longest >= 1
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
