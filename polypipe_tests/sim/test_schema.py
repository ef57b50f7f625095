"""Served rows have the keys and JSON types of recorded responses, about as often."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS

RECORDINGS = Path(__file__).parents[3] / "shared/polymarket/recordings"
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="recordings are not beside the repository")

# Documented, but in no recorded row.
KNOWN_EVENT_KEYS = {"elapsed": {"str"}}
KNOWN_MARKET_KEYS = {
    "eventStartTime": {"str"},
    "positionIds": {"list"},
    "version": {"str"},
    "gameId": {"str"},
    "bestBid": {"number", "NoneType"},
    "sportsMarketType": {"str"},
    "line": {"number"},
}


def kind(value: object) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def types(rows: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.items():
            found.setdefault(key, set()).add(kind(value))
    return found


def load(name: str) -> Any:
    return json.loads((RECORDINGS / name).read_text())


def recorded_events() -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    for path in sorted(RECORDINGS.glob("gamma-event*.json")):
        body = json.loads(path.read_text())
        events += body if isinstance(body, list) else [body]
    return events


def assert_known(served: dict[str, set[str]], known: dict[str, set[str]]) -> None:
    unknown = {key: kinds for key, kinds in served.items() if not kinds <= known.get(key, set())}
    assert not unknown


@pytest.fixture(scope="module")
def page(get: httpx.Client) -> list[dict[str, Any]]:
    """Every open event."""
    events: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 100, "closed": "false", "version": ["v1", "v2"]}
    while True:
        body = get.get("/events/keyset", params=params).json()
        events += body["events"]
        if "next_cursor" not in body:
            return events
        params["after_cursor"] = body["next_cursor"]


def test_every_event_key_and_type_is_known(page: list[dict[str, Any]], get: httpx.Client) -> None:
    closed = get.get("/events", params={"closed": "true", "limit": 100}).json()
    assert_known(types([*page, *closed]), types(recorded_events()) | KNOWN_EVENT_KEYS)


@pytest.mark.parametrize("nested", ["tags", "series", "teams"])
def test_every_key_of_nested_rows_is_known(page: list[dict[str, Any]], nested: str) -> None:
    known = types(row for e in recorded_events() for row in e.get(nested, []))
    if nested == "teams":
        known["ordering"].add("NoneType")  # seen in use; the recorded games have sides
    assert_known(types(row for e in page for row in e.get(nested, [])), known)


def test_every_key_of_nested_objects_is_known(page: list[dict[str, Any]]) -> None:
    for name in ("sport", "eventMetadata"):
        assert_known(types(e[name] for e in page if name in e), types(e[name] for e in recorded_events() if name in e))


def test_every_market_key_and_type_is_known(page: list[dict[str, Any]], get: httpx.Client) -> None:
    known = types(m for e in recorded_events() for m in e.get("markets", [])) | KNOWN_MARKET_KEYS
    closed = get.get("/events", params={"closed": "true", "limit": 100}).json()
    assert_known(types(m for e in [*page, *closed] for m in e["markets"]), known)


def test_keys_of_every_recorded_row_are_in_every_served_row(page: list[dict[str, Any]]) -> None:
    real = load("gamma-events-page-100.json")
    real_markets = [m for e in real for m in e["markets"]]
    markets = [m for e in page for m in e["markets"]]
    # The exchange sometimes leaves out negRisk so that readers must fall back to the event's.
    for rows, recorded, excused in ((page, real, set()), (markets, real_markets, {"negRisk"})):
        always = {k for k, n in Counter(k for r in recorded for k in r).items() if n == len(recorded)}
        missing = {k for k in always - excused if any(k not in r for r in rows)}
        assert not missing


@pytest.mark.parametrize(
    ("level", "key", "tolerance"),
    [
        ("event", "negRisk", 0.12),
        ("event", "volume24hr", 0.12),
        ("event", "liquidity", 0.12),
        ("market", "clobTokenIds", 0.12),
        ("market", "bestBid", 0.15),
        ("market", "volume24hr", 0.15),
        ("market", "oneHourPriceChange", 0.15),
        ("market", "negRisk", 0.05),
    ],
)
def test_keys_are_present_about_as_often_as_recorded(
    page: list[dict[str, Any]], level: str, key: str, tolerance: float
) -> None:
    real = load("gamma-events-page-100.json")
    rows = (
        (page, real)
        if level == "event"
        else ([m for e in page for m in e["markets"]], [m for e in real for m in e["markets"]])
    )
    ours, theirs = (sum(key in r for r in side) / len(side) for side in rows)
    assert ours == pytest.approx(theirs, abs=tolerance)


def test_live_keys_are_served_only_for_tracked_games(page: list[dict[str, Any]]) -> None:
    assert not any("live" in e or "ended" in e or "score" in e for e in page if "gameId" not in e)
    assert not any("live" in e for e in page if "doubles" in e["slug"])
    assert any("live" not in e for e in page if "gameId" in e)
    assert not any(e.get("live", False) is None for e in page)


@pytest.mark.parametrize(
    ("path", "recording"),
    [
        (f"/activity?user={WHALE_ADDRESS}&limit=500", "data-v1-activity.json"),
        (f"/positions?user={COPIER_ADDRESS}", "data-v1-positions.json"),
        ("/trades", "data-v1-trades.json"),
        ("/v1/leaderboard", "data-v1-leaderboard.json"),
        (f"/user-pnl?user_address={WHALE_ADDRESS}&interval=all&fidelity=1d", "user-pnl-all-1d.json"),
    ],
)
def test_wallet_rows_have_exactly_the_recorded_keys(get: httpx.Client, path: str, recording: str) -> None:
    served, known = types(get.get(path).json()), types(load(recording))
    assert served == known


@pytest.mark.parametrize(
    ("path", "recording"),
    [
        (f"/v2/activity?user={WHALE_ADDRESS}", "data_v2_activity.json"),
        (f"/v2/positions?user={WHALE_ADDRESS}", "data_v2_positions.json"),
    ],
)
def test_v2_rows_have_exactly_the_recorded_keys(get: httpx.Client, path: str, recording: str) -> None:
    body, real = get.get(path).json(), load(recording)
    assert types(body["data"]) == types(real["data"])
    assert set(body["pagination"]) == set(real["pagination"])


def test_v2_objects_have_exactly_the_recorded_keys(get: httpx.Client) -> None:
    for path, recording in (
        ("/v2/value", "data_v2_value.json"),
        ("/v2/leaderboard", "data_v2_leaderboard_user.json"),
    ):
        body = get.get(path, params={"user": WHALE_ADDRESS}).json()
        assert types([body["data"]]) == types([load(recording)["data"]])
