"""Commands, page and export say the same of random worlds, to the cent."""

import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from polypipe_tests.truth.product import Found, measured
from polypipe_tests.truth.replays import replays_of
from polypipe_tests.truth.surfaces import exported, page, quality_json, quality_money, report_of, what_if_json
from polypipe_tests.truth.world import DAY, T0, World
from polypipe_tests.truth.worlds import BY_NAME, make

pytestmark = pytest.mark.slow

DAYS = 2
LAST = datetime.fromtimestamp(T0 + (DAYS - 1) * DAY, UTC).date()
SPANS = ((1, LAST), (7, date.fromordinal(LAST.toordinal() - 6)))


@pytest.fixture(scope="module", params=[("everything", 11), ("fees", 12)], ids=lambda one: one[0])
def world(request) -> World:
    name, seed = request.param
    return make(replace(BY_NAME[name], days=DAYS), seed)


@pytest.fixture(scope="module")
def found(world, tmp_path_factory) -> Found:
    return measured(world, tmp_path_factory.mktemp("surfaces"))


@pytest.mark.parametrize(("days", "first"), [(1, LAST), (7, SPANS[1][1])])
def test_quality_page_and_export_have_the_same_numbers(found, days, first) -> None:
    said = quality_json(report_of(found, first, LAST))
    with page(found) as client:
        asked = {"days": str(days), "until": str(LAST)}
        shown = client.get("/api/quality/copying", params=asked).json()
        waterfall = exported(client, "waterfall", **asked)
    for name in ("expected_pnl", "copier_pnl", "whale_pnl", "gap", "days_known"):
        assert shown["attribution"][name] == pytest.approx(said["attribution"][name], abs=1e-9), name
    parts = {part["part"]: part["usd"] for part in said["attribution"]["parts"]}
    assert {part["part"]: part["usd"] for part in shown["attribution"]["parts"]} == pytest.approx(parts, abs=1e-9)
    assert math.fsum(parts.values()) == pytest.approx(said["attribution"]["gap"], abs=1e-9)
    assert {row["part"]: float(row["usd"]) for row in waterfall if row["part"] in parts} == pytest.approx(parts, abs=1e-9)
    same = set(said["metrics"]) & set(shown["metrics"]) - {"reasons", "funnel", "days_known"}
    assert len(same) > 20
    for name in same:
        assert shown["metrics"][name] == pytest.approx(said["metrics"][name], abs=1e-9), name
    assert shown["coverage"] == pytest.approx(said["coverage"], abs=1e-9)
    assert shown["exits"]["usd"] == pytest.approx(math.fsum(row["usd"] for row in said["exits"]), abs=1e-9)


def test_what_if_of_command_page_and_export_have_the_same_numbers(found) -> None:
    first, twice = date.fromordinal(LAST.toordinal() - DAYS + 1), 2 * found.wallets.ratio
    said = what_if_json(found, first, LAST, twice)
    asked = {"days": str(DAYS), "until": str(LAST), "ratio": str(twice)}
    with page(found) as client:
        shown = client.get("/api/quality/whatif", params=asked).json()
        rows = exported(client, "whatif_grid", **asked)
    assert shown == json.loads(json.dumps(said))
    assert [float(row["copier_pnl"]) for row in rows if row["dimension"] == "ratio"] == [
        row["copier_pnl"] for row in said["grid"] if row["dimension"] == "ratio"
    ]
    (same,) = [row for row in said["grid"] if row["asked"] and row["dimension"] == "ratio"]
    assert (same["copier_pnl"], same["gap"]) == (said["replayed_pnl"], said["gap"])


def test_replay_is_near_what_the_copier_would_have_made(world, found) -> None:
    """The fate of orders at the minimum is a matter of luck, of which the copies do not tell everything."""
    for one in replays_of(world, found):
        assert abs(one.error) <= 0.02 * one.base
        assert one.off <= 0.05, one


@pytest.mark.parametrize("first", [LAST, SPANS[1][1]])
def test_what_if_starts_from_the_same_gap(found, first) -> None:
    said = report_of(found, first, LAST).attribution
    answer = what_if_json(found, first, LAST, found.wallets.ratio)
    assert answer["gap_in_force"] == pytest.approx(said["gap"], abs=1e-9)
    assert answer["copier_pnl"] == pytest.approx(said["copier_pnl"], abs=1e-9)
    assert answer["expected_in_force"] == pytest.approx(said["expected_pnl"], abs=1e-9)


@pytest.mark.parametrize("first", [LAST, SPANS[1][1]])
def test_printed_parts_sum_to_the_printed_gap(found, first) -> None:
    report = report_of(found, first, LAST)
    printed = quality_money(report)
    names = {part["part"] for part in report.attribution["parts"]}
    parts = sum((usd for name, usd in printed.items() if name in names), Decimal(0))
    assert len(printed.keys() & names) > 3
    assert parts == printed["gap"] == printed["copier_PnL"] - printed["expected_PnL"]
    for name in ("gap", "copier_pnl", "expected_pnl"):
        shown = printed[name.replace("pnl", "PnL")]
        assert float(shown) == pytest.approx(report.attribution[name], abs=0.0101)
