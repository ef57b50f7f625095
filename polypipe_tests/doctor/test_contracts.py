"""The judgements of what the API said: good and bad pages, recorded ones too."""

import copy
import json
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from polypipe.doctor import gamma_contract as gamma
from polypipe.doctor import hosts, wallet_contract
from polypipe.doctor.answers import Answer, Network, Reach, WalletAnswers
from polypipe.doctor.wallets import judge_wallet
from polypipe.polymarket import (
    Announcement,
    DeadlineExceeded,
    Intercepted,
    RequestRefused,
    ServerUnavailable,
    Standing,
    UnexpectedBody,
)
from polypipe.polymarket.wallet_wire import all_rows, read_activity, read_point, read_position, read_standing
from polypipe.polymarket.wire import decode_page
from polypipe_tests.conftest import settings_for
from polypipe_tests.doctor.support import NOW, WHALE, fill, inputs_of
from polypipe_tests.recordings import RECORDINGS, needs_recordings


def market(number, **changes):
    return {
        "id": str(number),
        "conditionId": f"0x{number:064x}",
        "question": "A vs B",
        "active": True,
        "closed": False,
        "negRisk": False,
        "sportsMarketType": "moneyline",
        "clobTokenIds": json.dumps([str(10 * number), str(10 * number + 1)]),
    } | changes


def event(number, **changes):
    return {
        "id": str(number),
        "slug": f"atp-{number}",
        "closed": False,
        "tags": [{"id": "1"}],
        "seriesSlug": "atp",
        "startTime": "2026-11-20T12:00:00Z",
        "live": True,
        "markets": [market(number * 10 + n) for n in range(3)],
    } | changes


def events(count=100, start=1000):
    return [event(number) for number in range(start, start + count)]


def page(rows, cursor="more"):
    return decode_page(json.dumps({"events": rows, "next_cursor": cursor}).encode(), 1)


def without(row, *names):
    return {name: value for name, value in row.items() if name not in names}


def markets_without(*names):
    return [event(n, markets=[without(market(n), *names)]) for n in range(1, 101)]


@pytest.mark.parametrize(
    ("first", "following", "status", "words"),
    [
        (events(), events(start=2000), "ok", "a full page has 100 rows"),
        (events(), events(), "error", "page 2 equals page 1"),
        (events(), events(start=1099), "warning", "1 event of page 1"),
        (events(50), events(50, start=2000), "warning", "a full page has 50 rows, not 100"),
        ([], events(), "error", "an empty page"),
    ],
)
def test_pages_must_not_overlap_and_must_have_100_rows(first, following, status, words):
    result = gamma.judge_paging(page(first), page(following))
    assert (result.status, words in result.finding) == (status, True), result


@pytest.mark.parametrize(
    ("rows", "status", "words"),
    [
        (events(), "ok", "all fields are present"),
        ([without(row, "tags") for row in events()], "error", "tags is missing on 100 of 100 events"),
        ([without(row, "markets") for row in events()], "error", "markets is missing"),
        ([without(row, "seriesSlug") for row in events()], "error", "seriesSlug is missing on all of 100 events"),
        (markets_without("active"), "error", "active is missing on 100 of 100 markets"),
        (markets_without("conditionId"), "error", "conditionId is missing"),
        (markets_without("sportsMarketType"), "error", "sportsMarketType is missing on all of 100 markets"),
        (markets_without("negRisk"), "error", "negRisk is missing on all"),
        (
            markets_without("clobTokenIds"),
            "error",
            "100 of 100 traded markets have no usable token ids",
        ),
        ([event(n, slug=7) for n in range(1, 51)], "error", "50 rows cannot be read, such as event 1"),
        # The crawl tolerates a few bad rows, so they are reported and not failed.
        ([*events(), event(7, tags=[])], "ok", "all fields"),
        ([*events(), event(7, markets=[market(1, question=7)])], "ok", "all fields"),
        ([*events(), event(7, markets=[market(1, clobTokenIds=None)])], "ok", "all fields"),
        ([*events(1), event(2, markets=[without(market(1), "negRisk")])], "ok", "all fields"),
    ],
)
def test_missing_fields_are_an_error_and_a_few_bad_rows_are_not(rows, status, words):
    result = gamma.judge_fields([page(rows)])
    assert (result.status, words in result.finding) == (status, True), result
    assert bool(result.advice) == (status == "error")


def test_few_bad_rows_are_listed_in_the_details():
    rows = [*events(), event(7, tags=[]), event(8, markets=[market(1, clobTokenIds="torn")])]
    details = gamma.judge_fields([page(rows)]).details
    assert any("tags is missing on 1 of 102 events" in line for line in details)
    assert any("not a JSON array" in line for line in details)


@pytest.mark.parametrize(
    ("versions", "status", "words"),
    [
        ((None, "v1"), "ok", "none (1), v1 (1)"),
        (("v1", "v3", "v3"), "warning", "'v3' (2 markets)"),
        (("\x1b[31mv9", "v1"), "warning", "v9"),
    ],
)
def test_unknown_market_version_is_a_warning(versions, status, words):
    rows = [event(n, markets=[market(n, version=version)]) for n, version in enumerate(versions, 1)]
    result = gamma.judge_versions([page(rows)]).fit("G")
    assert (result.status, words in result.finding) == (status, True), result
    assert "\x1b" not in result.finding


def test_v2_markets_are_known():
    row = market(1, version="v2", positionIds=["1", "2"])
    assert gamma.judge_versions([page([event(1, markets=[row])])]).finding == "v2 (1)"


def test_unknown_tennis_type_is_reported_but_ok():
    rows = [event(1, markets=[market(1), market(2, sportsMarketType="tennis_aces")])]
    result = gamma.judge_types(page(rows))
    assert result.status == "ok"
    assert "tennis_aces" in result.finding
    assert "all known" in gamma.judge_types(page(events(1))).finding


@pytest.mark.parametrize(("rows", "status"), [(events(3), "ok"), ([], "ok"), ([event(1, live=False)], "warning")])
def test_ignored_live_filter_is_a_warning(rows, status):
    assert gamma.judge_live(page(rows)).status == status


@pytest.mark.parametrize(
    ("ahead", "status"),
    [
        (None, "unknown"),
        ((0.4, 0.6), "ok"),
        ((-3.4, 0.6), "ok"),
        ((4.0, 0.6), "warning"),
        ((-30.0, 1), "warning"),
        ((3600.0, 1), "error"),
        ((20.0, 18.0), "ok"),  # a slow answer proves nothing
    ],
)
def test_clock_is_wrong_only_beyond_the_uncertainty(ahead, status):
    result = hosts.judge_clock(ahead)
    assert result.status == status
    if ahead:
        assert ("ahead of" in result.finding) == (ahead[0] > 0)


@pytest.mark.parametrize(
    ("reach", "status", "words"),
    [
        (Reach("http://x", 0.2, 200), "ok", "200 ms"),
        (Reach("http://x", 0.2, 404), "ok", "200 ms"),
        (Reach("http://x", 7, 200), "warning", "7000 ms"),
        (Reach("http://x", 0.2, 403), "error", "refuses us"),
        (Reach("http://x", 0.2, 500), "warning", "HTTP 500"),
        (Reach("http://x", error="ConnectError refused"), "error", "ConnectError"),
    ],
)
def test_any_status_but_refusals_and_overload_is_an_answer(reach, status, words):
    result = hosts.judge_reach("gamma", reach, offline=False)
    assert (result.status, words in result.finding) == (status, True), result


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (
            Answer(error=UnexpectedBody("truncated or invalid JSON", body=b"{")),
            "error",
            "truncated or invalid JSON; answer begins: {",
        ),
        (Answer(error=RequestRefused("HTTP 422")), "error", "HTTP 422"),
        (Answer(error=ServerUnavailable("HTTP 503")), "unknown", "no answer: HTTP 503"),
        (Answer(error=DeadlineExceeded("no answer")), "unknown", "no answer"),
        (Answer(asked=False), "unknown", "not asked"),
    ],
)
def test_only_refusals_and_unreadable_bodies_break_the_contract(answer, status, words):
    result = hosts.failed("gamma paging", answer, offline=False)
    assert (result.status, words in result.finding) == (status, True), result


def heard(*activity, standing=None, error=None):
    answer = Answer(error=error) if error else Answer(list(activity))
    return WalletAnswers(answer, Answer(standing))


@pytest.mark.parametrize(
    ("wallet", "status", "words"),
    [
        (heard(fill(), standing=Standing(1, 1.0, 1.0, "whaley")), "ok", "profile 'whaley'; newest fill 5 min ago"),
        (heard(fill()), "ok", "no profile name"),
        (heard(fill(timedelta(days=8))), "warning", "newest fill 8 d 0 h ago"),
        (heard(), "warning", "has no activity"),
        (heard(fill(type="REDEEM")), "warning", "no fills in"),
        (heard(error=UnexpectedBody("torn")), "unknown", "torn"),
        (None, "unknown", "not asked"),
    ],
)
def test_quiet_or_unknown_wallet_is_a_warning(wallet, status, words):
    result = judge_wallet("whale", WHALE, "Big", wallet, NOW)
    assert (result.status, words in result.finding) == (status, True), result
    assert result.finding.startswith("Big (0xabab…abab)")


@pytest.mark.parametrize(
    ("activity", "value", "status", "words"),
    [
        ([fill()], 5.0, "ok", "all fields are present"),
        ([], None, "ok", "0 fills"),
        ([fill(asset=None)], 5.0, "error", "without asset, side, size or price"),
        ([fill(transaction_hash="")], 5.0, "error", "transactionHash"),
        ([fill()], None, "error", "/value has no value"),
    ],
)
def test_missing_wallet_fields_are_an_error(activity, value, status, words):
    network = Network(wallets={WHALE: heard(*activity)}, probed=Answer(WHALE), value=Answer(value), positions=Answer([]))
    result = wallet_contract.judge_data(network)
    assert (result.status, words in result.finding) == (status, True), result


@pytest.mark.parametrize(
    ("ages", "trades", "status"),
    [([1, 2], True, "ok"), ([3], True, "warning"), ([], True, "error"), ([], False, "skipped")],
)
def test_pnl_points_must_be_recent_for_a_wallet_that_trades(ages, trades, status):
    times = [NOW - timedelta(hours=age) for age in ages]
    assert wallet_contract.judge_pnl(times, trades, NOW).status == status


def recorded(name):
    return json.loads((RECORDINGS / name).read_bytes())


@needs_recordings
def test_recorded_page_keeps_the_contract():
    raw = recorded("gamma-events-page-100.json")
    result = gamma.judge_fields([page(raw)], sports=False)
    assert result.status == "ok"
    assert "100 events and 774 markets" in result.finding
    assert gamma.judge_versions([page(raw)]).status == "ok"
    shuffled = copy.deepcopy(raw)
    for row in shuffled:
        row["id"] = f"x{row['id']}"
    assert gamma.judge_paging(page(raw), page(shuffled)).status == "ok"


@needs_recordings
def test_recorded_tennis_types_are_known():
    tennis = gamma.judge_types(page(with_ids(recorded("gamma-events-tennis-trimmed.json"))))
    assert "all known" in tennis.finding


def with_ids(rows):
    """Adds the ids that the recording lacks."""
    for number, row in enumerate(rows):
        row.setdefault("id", f"trimmed-{number}")
        for position, listed in enumerate(row.get("markets", [])):
            listed.setdefault("id", f"trimmed-{number}-{position}")
    return rows


@needs_recordings
def test_recorded_wallets_keep_the_contract():
    def read(name, reader):
        body = (RECORDINGS / name).read_bytes()
        rows = json.loads(body)
        wallet = rows[0]["proxyWallet"].lower()
        own = [row for row in rows if row["proxyWallet"].lower() == wallet]
        return wallet, all_rows(json.dumps(own).encode(), partial(reader, wallet=wallet))

    wallet, activity = read("data-v1-activity.json", read_activity)
    _, positions = read("data-v1-positions.json", read_position)
    _, standing = read("data-v1-leaderboard.json", read_standing)
    network = Network(
        wallets={wallet: WalletAnswers(Answer(activity), Answer(standing[0]))},
        probed=Answer(wallet),
        value=Answer(1.0),
        positions=Answer(positions),
    )
    assert wallet_contract.judge_data(network).status == "ok"
    points = [point for point in all_rows((RECORDINGS / "user-pnl-all-1d.json").read_bytes(), read_point) if point]
    newest = max(point.t for point in points)
    assert wallet_contract.judge_pnl([point.t for point in points], True, newest).status == "ok"
    assert newest > datetime(2026, 1, 1, tzinfo=UTC)


def test_block_is_an_error_that_does_not_blame_the_api():
    blocked = Intercepted("something between you and Polymarket answers instead of it: HTTP 451 from x", status=451)
    result = hosts.failed("gamma paging", Answer(error=blocked), offline=False)
    assert (result.status, result.finding) == ("error", blocked.reason)
    assert "VPN, proxy or filter" in result.advice
    assert "API has changed" not in result.advice
    reach = Reach("http://x", 0.2, 302, error="something ... HTTP 302 from x redirects to notice.example", blocked=True)
    result = hosts.judge_reach("gamma", reach, offline=True)
    assert (result.status, "redirects to notice.example" in result.finding) == ("error", True)
    assert "VPN, proxy or filter" in result.advice


def test_each_announcement_is_a_line_with_host_path_and_date():
    sunset = Announcement("gamma-api.polymarket.com", "/events", "Sunset", date(2027, 1, 31), "Sun, 31 Jan 2027")
    network = Network(announcements=[sunset], reach={"gamma": Reach("http://x", 0.2, 200)})
    inputs = inputs_of(settings_for("http://x"), network)
    (result,) = hosts.check_announcements(inputs)
    assert (result.status, result.finding) == (
        "warning",
        "gamma-api.polymarket.com/events: Sunset 2027-01-31: Sun, 31 Jan 2027",
    )
    network.announcements.clear()
    assert [result.status for result in hosts.check_announcements(inputs)] == ["ok"]
