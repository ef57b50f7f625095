"""Every kind of fault as a raw client sees it, and the rules that select requests."""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from polypipe.sim import life
from polypipe_tests.sim.server import SimServer

ERRORS = Path(__file__).parents[3] / "shared/polymarket/recordings/errors"
PARAMS: dict[str, Any] = {"limit": 20, "closed": "false"}
PATH = "/events/keyset"


@pytest.fixture(scope="module")
def server() -> Iterator[SimServer]:
    with SimServer(events=60, seed=3) as sim:
        yield sim


@pytest.fixture
def sim(server: SimServer) -> Iterator[SimServer]:
    server.faults.clear()
    server.requests.clear()
    yield server
    server.faults.clear()


@pytest.fixture
def get(sim: SimServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sim.url, timeout=10) as client:
        yield client


def test_status_fault_sends_its_headers_and_body(sim: SimServer, get: httpx.Client) -> None:
    sim.faults.add("status", PATH, status=429, headers={"Retry-After": "2"}, times=1)
    sim.faults.add("status", PATH, status=503, headers={"Retry-After": "Fri, 20 Nov 2026 12:00:05 GMT"}, nth=2)
    first, second, third = (get.get(PATH, params=PARAMS) for _ in range(3))
    assert (first.status_code, first.text, first.headers["retry-after"]) == (429, "error code: 1015", "2")
    assert second.status_code == 503
    assert second.json()["type"] == "service unavailable"
    assert second.headers["retry-after"].endswith("GMT")
    assert third.status_code == 200


def test_default_error_bodies_equal_the_recorded_ones(sim: SimServer, get: httpx.Client) -> None:
    if not ERRORS.is_dir():
        pytest.skip("recordings are not beside the repository")
    for status, name in ((500, "gamma_internal.500.json"), (503, "gamma_keyset_unavailable.503.json")):
        sim.faults.add("status", PATH, status=status, times=1)
        assert get.get(PATH).json() == json.loads((ERRORS / name).read_text())
    sim.faults.add("status", PATH, status=429, times=1)
    assert get.get(PATH).text == (ERRORS / "cloudflare_1015.429.txt").read_text().strip()


def test_html_fault_answers_200_with_a_page(sim: SimServer, get: httpx.Client) -> None:
    sim.faults.add("html", PATH)
    answer = get.get(PATH)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_hang_without_seconds_never_answers_and_blocks_no_other_path(sim: SimServer, get: httpx.Client) -> None:
    sim.faults.add("hang", PATH)
    with pytest.raises(httpx.ReadTimeout):
        get.get(PATH, timeout=0.3)
    assert get.get("/status").status_code == 200, "other paths are served meanwhile"
    assert next(r for r in sim.requests if r.path == PATH).status == 0


def test_hang_with_seconds_answers_late(sim: SimServer, get: httpx.Client) -> None:
    sim.faults.add("hang", PATH, seconds=20, times=1)
    with pytest.raises(httpx.ReadTimeout):
        get.get(PATH, timeout=0.1)
    sim.faults.add("hang", PATH, seconds=0.1)
    assert get.get(PATH, params=PARAMS).json()["events"]


def test_share_spoils_the_same_random_requests_in_each_run(sim: SimServer, get: httpx.Client) -> None:
    sim.faults.add("status", "/status", status=500, share=0.3)
    codes = [get.get("/status").status_code for _ in range(200)]
    assert 30 <= codes.count(500) <= 90
    sim.faults.clear()
    sim.faults.add("status", "/status", status=500, share=0.3)
    assert [get.get("/status").status_code for _ in range(200)] == codes, "the same requests in each run"


def test_field_faults_drop_rename_or_set_the_field_everywhere(sim: SimServer, get: httpx.Client) -> None:
    true = get.get(PATH, params=PARAMS).json()["events"]
    sim.faults.add("drop_field", PATH, field="slug", times=1)
    sim.faults.add("rename_field", PATH, field="clobTokenIds", value="tokenIds", times=1)
    sim.faults.add("set_field", PATH, field="version", value="v3", times=1)
    dropped, renamed, changed = (get.get(PATH, params=PARAMS).json()["events"] for _ in range(3))
    assert all("slug" in event and "slug" in event["markets"][0] for event in true)
    assert not any("slug" in event or "slug" in event["markets"][0] for event in dropped)
    ids = [market.get("clobTokenIds") for event in true for market in event["markets"]]
    assert [market.get("tokenIds") for event in renamed for market in event["markets"]] == ids
    assert not any("clobTokenIds" in market for event in renamed for market in event["markets"])
    assert {event["version"] for event in changed if "version" in event} == {"v3"}


def test_reset_closes_the_connection_without_an_answer(sim: SimServer, get: httpx.Client) -> None:
    sim.faults.add("reset", PATH)
    with pytest.raises(httpx.ReadError) as error:
        get.get(PATH)
    assert isinstance(error.value.__context__, BaseException)
    assert "reset" in str(error.value).lower()


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_truncated_body_is_shorter_than_its_content_length(sim: SimServer, get: httpx.Client, encoding: str) -> None:
    sim.faults.add("truncate", PATH)
    with get.stream("GET", PATH, headers={"accept-encoding": encoding}) as answer:
        assert answer.status_code == 200
        assert answer.headers.get("content-encoding", "identity") == encoding
        with pytest.raises(httpx.RemoteProtocolError):
            b"".join(answer.iter_raw())


def test_cut_gzip_is_a_torn_stream_of_the_right_length(sim: SimServer, get: httpx.Client) -> None:
    sim.faults.add("cut_gzip", PATH)
    with get.stream("GET", PATH, params=PARAMS) as answer:
        raw = b"".join(answer.iter_raw())
    assert len(raw) == int(answer.headers["content-length"])
    unpacker = zlib.decompressobj(31)
    unpacker.decompress(raw)
    assert not unpacker.eof


def test_cut_json_is_a_complete_answer_with_half_of_the_text(sim: SimServer, get: httpx.Client) -> None:
    sim.faults.add("cut_json", PATH)
    with pytest.raises(json.JSONDecodeError):
        get.get(PATH, params=PARAMS).json()


def test_repeated_cursor_equals_that_of_the_request(sim: SimServer, get: httpx.Client) -> None:
    first = get.get(PATH, params=PARAMS).json()
    sim.faults.add("repeat_cursor", PATH, page=2)
    second = get.get(PATH, params=PARAMS | {"after_cursor": first["next_cursor"]}).json()
    assert second["next_cursor"] == first["next_cursor"]
    assert second["events"][0]["id"] != first["events"][0]["id"]


def test_page_faults_empty_remove_or_mistype_the_rows(sim: SimServer, get: httpx.Client) -> None:
    for kind in ("empty_page", "missing_key", "wrong_type"):
        sim.faults.add(kind, PATH, times=1)
    empty, missing, wrong = (get.get(PATH, params=PARAMS).json() for _ in range(3))
    assert empty["events"] == []
    assert empty["next_cursor"]
    assert "events" not in missing
    assert missing["next_cursor"]
    assert isinstance(wrong["events"], str)


def test_ignore_live_returns_events_that_are_not_live(sim: SimServer, get: httpx.Client) -> None:
    params = {"limit": 100, "closed": "false", "live": "true"}
    events = sim.world.open_events(sim.clock.now())
    live = {str(e.id) for e in events if e.version == "v1" and life.state(e, sim.clock.now()).live}
    assert {e["id"] for e in get.get(PATH, params=params).json()["events"]} == live
    sim.faults.add("ignore_live", PATH)
    assert len(get.get(PATH, params=params).json()["events"]) > len(live)


def test_mutate_changes_the_decoded_answer(sim: SimServer, get: httpx.Client) -> None:
    def spoil(body: Any) -> Any:
        body["events"][0]["live"] = None
        body["events"][1]["markets"][0]["clobTokenIds"] = "[broken"
        return body

    sim.faults.add("mutate", PATH, mutate=spoil)
    events = get.get(PATH, params=PARAMS).json()["events"]
    assert events[0]["live"] is None
    assert events[1]["markets"][0]["clobTokenIds"] == "[broken"


def test_page_hits_every_retry_of_one_page(sim: SimServer, get: httpx.Client) -> None:
    fault = sim.faults.add("status", PATH, status=500, page=2)
    cursor = get.get(PATH, params=PARAMS).json()["next_cursor"]
    for _ in range(3):
        assert get.get(PATH, params=PARAMS | {"after_cursor": cursor}).status_code == 500
    assert (fault.seen, fault.hits) == (3, 3)
    assert get.get(PATH, params=PARAMS).status_code == 200


def test_fault_matches_by_wildcard_path_and_query(sim: SimServer, get: httpx.Client) -> None:
    sim.faults.add("status", "/events*", query={"live": "true", "after_cursor": None}, status=500)
    assert get.get(PATH, params={"live": "true"}).status_code == 500
    assert get.get("/events", params={"live": "true"}).status_code == 500
    assert get.get(PATH, params={"live": "false"}).status_code == 200
    assert get.get(PATH).status_code == 200
    assert get.get("/tags", params={"live": "true"}).status_code == 200


def test_nth_counts_only_matching_requests(sim: SimServer, get: httpx.Client) -> None:
    sim.faults.add("status", PATH, nth=[2, 4], status=500)
    codes = []
    for _ in range(5):
        get.get("/status")
        codes.append(get.get(PATH, params=PARAMS).status_code)
    assert codes == [200, 500, 200, 500, 200]


def test_unknown_kinds_and_misplaced_arguments_are_refused(sim: SimServer, get: httpx.Client) -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        sim.faults.add("explode", PATH)
    with pytest.raises(ValueError, match="mutate"):
        sim.faults.add("mutate", PATH)
    with pytest.raises(ValueError, match="`field`"):
        sim.faults.add("drop_field", PATH)
    with pytest.raises(ValueError, match="new name"):
        sim.faults.add("rename_field", PATH, field="slug")
    with pytest.raises(ValueError, match="`share`"):
        sim.faults.add("html", PATH, share=0)
    assert get.post("/_sim/faults", json={"kind": "explode", "path": PATH}).status_code == 400
    assert get.post("/_sim/faults", json={"kind": "html", "path": PATH, "colour": 1}).status_code == 400


def test_faults_log_and_clock_are_controlled_over_http(sim: SimServer, get: httpx.Client) -> None:
    fault = {"kind": "status", "path": PATH, "status": 502, "nth": 1, "headers": {"Retry-After": "1"}}
    assert get.post("/_sim/faults", json=fault).json() == {"active": 1}
    assert get.get(PATH).status_code == 502
    assert get.request("DELETE", "/_sim/faults").json() == {"active": 0}
    assert get.get(PATH, params={"limit": 3}).status_code == 200
    log = get.get("/_sim/requests").json()
    assert [(r["path"], r["query"], r["status"], r["fault"]) for r in log] == [
        (PATH, "", 502, "status"),
        (PATH, "limit=3", 200, ""),
    ]
    assert log[1]["sent"] > 1000
    world = get.get("/_sim/world").json()
    assert (world["seed"], world["universe_events"], world["open_events"]) == (3, 60, 66)
    moved = get.post("/_sim/clock", json={"advance": 3600}).json()
    assert moved["now"] == world["now"] + 3600
    assert get.post("/_sim/clock", json={"now": world["now"]}).json()["now"] == world["now"]


def test_latency_delays_every_answer() -> None:
    with SimServer(events=1, latency_ms=60_000) as slow, pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{slow.url}/status", timeout=0.3)


def test_request_log_counts_the_bytes_on_the_wire(sim: SimServer, get: httpx.Client) -> None:
    answer = get.get(PATH, params=PARAMS)
    assert sim.requests[-1].sent == int(answer.headers["content-length"])
    assert sim.requests[-1].params["closed"] == "false"
