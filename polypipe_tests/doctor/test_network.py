"""The requests to the hosts, and their deadline."""

import socket
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.doctor import reach as module
from polypipe.doctor.network import ask_all
from polypipe.doctor.reach import clock_ahead, unresolved
from polypipe.polymarket import DeadlineExceeded
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe_tests.conftest import settings_for
from polypipe_tests.doctor.support import WALLETS, inputs_of, results

POLYMARKET = (
    "hosts", "announcements", "clock", "gamma paging", "gamma fields", "live filter", "market versions", "tennis types",
    "data fields", "user-pnl points",
)  # fmt: skip


@pytest.mark.slow
def test_all_checks_need_fifteen_requests(sim):
    heard = ask_all(settings_for(sim.url, **WALLETS))
    assert len(sim.requests) == 15
    assert {reach.status for reach in heard.reach.values()} == {404}  # / has no page, but the host answers
    assert all(answer.value and answer.value.rows for answer in heard.gamma.values())
    assert set(heard.gamma) == {"sports", "sports_next", "tennis", "live"}
    assert set(heard.wallets) == {COPIER_ADDRESS, WHALE_ADDRESS}
    for wallet in heard.wallets.values():
        assert wallet.activity.value
        assert wallet.standing.value
    assert heard.probed.value == WHALE_ADDRESS
    assert heard.value.value
    assert heard.positions.value
    assert heard.pnl.value

    # Without the clock: the exchange runs in this process, and on a busy machine its `Date` is late.
    contract = [name for name in POLYMARKET if name != "clock"]
    found = results(inputs_of(settings_for(sim.url, **WALLETS), heard), *contract)
    assert {name: result.finding for name, result in found.items() if result.status != "ok"} == {}
    assert "v2 (" in found["market versions"].finding


def test_without_wallets_the_first_of_the_leaderboard_is_used(sim):
    settings = settings_for(sim.url)
    heard = ask_all(settings)
    assert heard.probed.value not in (None, COPIER_ADDRESS, WHALE_ADDRESS)
    found = results(inputs_of(settings, heard), "data fields", "user-pnl points")
    assert found["data fields"].status == "ok"
    assert found["user-pnl points"].status == "skipped"  # simulated rivals have a standing and nothing else


def test_each_fault_of_the_api_is_reported(sim):
    """All at once, each on its own request."""
    sim.faults.add("missing_key", "/events/keyset", query={"tag_id": "864"})
    sim.faults.add("ignore_live", "/events/keyset", query={"live": "true"})
    sim.faults.add("status", "/events/keyset", query={"tag_id": "1"}, status=422)
    sim.faults.add("wrong_type", "/value")
    sim.faults.add("html", "/positions")
    sim.faults.add("reset", "/user-pnl")
    sim.faults.add("status", "/", status=403)
    settings = settings_for(sim.url, POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS)
    found = results(inputs_of(settings, ask_all(settings)), *POLYMARKET)
    for name, status, words in (
        ("tennis types", "error", "missing required field `events`"),
        ("live filter", "warning", "are not live"),
        ("gamma paging", "error", "HTTP 422"),
        ("data /value", "error", "wrong shape"),
        ("data /positions", "error", "something between you and Polymarket answers instead of it: HTTP 200 from 127.0.0.1"),
        ("user-pnl points", "unknown", "no answer"),
        ("clob", "error", "refuses us"),
    ):
        assert (found[name].status, words in found[name].finding) == (status, True), found[name]
        assert found[name].advice


def test_ignored_cursor_is_an_error(sim):
    """The real API does so for an unknown parameter name."""
    first = {}

    def page_one_again(page):
        return first.setdefault("page", page)

    sim.faults.add("mutate", "/events/keyset", query={"tag_id": "1"}, mutate=page_one_again)
    settings = settings_for(sim.url)
    found = results(inputs_of(settings, ask_all(settings)), "gamma paging")
    assert found["gamma paging"].status == "error"
    assert "page 2 equals page 1" in found["gamma paging"].finding


def test_doctor_returns_by_its_deadline_if_all_hosts_hang(sim):
    sim.faults.add("hang", "*")
    settings = settings_for(sim.url, **WALLETS)
    heard = ask_all(settings, deadline=1.0)  # without it this would never return
    assert heard.offline
    assert all("no answer within" in reach.error for reach in heard.reach.values())
    answers = [*heard.gamma.values(), heard.value, heard.positions, heard.pnl]
    answers += [answer for wallet in heard.wallets.values() for answer in (wallet.activity, wallet.standing)]
    assert all(isinstance(answer.error, DeadlineExceeded) for answer in answers)
    found = results(inputs_of(settings, heard), *POLYMARKET)
    assert {result.status for result in found.values()} == {"error", "unknown"}


@pytest.mark.slow
def test_hanging_host_does_not_delay_the_others(sim):
    sim.faults.add("hang", "/events/keyset")
    settings = settings_for(sim.url, **WALLETS)
    heard = ask_all(settings, deadline=3.0)
    assert isinstance(heard.gamma["sports"].error, DeadlineExceeded)
    assert heard.pnl.value
    assert all(wallet.activity.value for wallet in heard.wallets.values())


def test_offline_every_network_check_fails():
    settings = settings_for("http://127.0.0.1:9")
    heard = ask_all(settings, deadline=5)
    assert heard.offline
    found = results(inputs_of(settings, heard), *POLYMARKET)
    assert {result.status for result in found.values()} == {"error", "unknown"}
    assert "check the connection" in found["gamma"].advice


def test_unresolved_name_costs_no_request():
    settings = settings_for("http://polymarket.invalid")
    heard = ask_all(settings, deadline=5)
    assert heard.offline
    assert all("does not resolve" in reach.error for reach in heard.reach.values())
    assert "does not resolve" in heard.gamma["sports"].error.reason


def test_hanging_resolver_is_abandoned(monkeypatch):
    answer = threading.Event()

    def hang(*_):
        answer.wait()
        raise socket.gaierror(8, "too late")

    monkeypatch.setattr(module.socket, "getaddrinfo", hang)
    assert unresolved(["gamma.example"], 0.1) == {"gamma.example": "its name does not resolve within 0 s"}
    answer.set()


def test_behind_a_proxy_names_are_not_resolved(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    assert unresolved(["polymarket.invalid"], 5) == {}


def test_unusable_proxy_is_reported(monkeypatch):
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")  # needs a library that is not installed
    settings = settings_for("http://polymarket.invalid")
    found = results(inputs_of(settings, ask_all(settings, deadline=5)), *POLYMARKET)
    assert {result.status for result in found.values()} == {"error", "unknown"}
    assert "cannot create an HTTP client" in found["gamma"].finding


@given(true_offset=st.floats(-1e6, 1e6), sent=st.floats(1.6e9, 2e9), took=st.floats(0, 30), moment=st.floats(0, 1))
def test_clock_offset_is_within_the_uncertainty(true_offset, sent, took, moment):
    """Our clock is ahead by `true_offset`; the host writes its truncated time at some moment of the request."""
    theirs = sent + moment * took - true_offset
    date = datetime.fromtimestamp(int(theirs), UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    ahead, uncertain = clock_ahead(date, sent, sent + took)
    assert abs(ahead - true_offset) <= uncertain + 1e-3
    assert uncertain <= (1 + took) / 2 + 1e-3


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Nov 2026 25:00:00 GMT"])
def test_invalid_date_header_gives_no_offset(date):
    assert clock_ahead(date, 0, 1) is None
