"""What `polypipe watch` shows: exact texts, and zero distinct from unknown."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from polypipe.divergence.pnl_gap import Series
from polypipe.divergence.sources import Fetched, WalletFacts
from polypipe.divergence.watch_sample import LabelledWallet, Sample, WatchedPair, json_line, sample_of
from polypipe.divergence.watch_session import NEWEST_KEPT, Session
from polypipe.divergence.watch_text import brief, percent, signed, signed_percent, sparkline
from polypipe.divergence.watch_view import block, panel, summary
from polypipe.facts import Fact
from polypipe.polymarket import Standing

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
PAIR = WatchedPair(
    LabelledWallet("You", "0xc0c0" + "0" * 32 + "c0c0"),
    LabelledWallet("swisstony", "0xa1a1" + "0" * 32 + "a1a1"),
    0.08,
    False,
)
DOWN = (
    "GET https://data-api.polymarket.com/value?user=0xa1: HTTP 503; after 5 attempts; answer begins: no; what to do: wait"
)


def series(change: float, hours: int = 24) -> Fact[Series]:
    """Points of the last hours, the first at 1000 and the last `change` higher."""
    return Fact({NOW - timedelta(hours=n): 1000.0 + (change if n == 0 else 0.0) for n in range(hours)})


def wallet(value: float | None = 500.0, change: float | None = 25.0, rank: int | None = 1500) -> WalletFacts:
    """None: the source is down."""
    unknown: Fact[Any] = Fact.unknown(DOWN)
    return WalletFacts(
        value=unknown if value is None else Fact(value),
        pnl=unknown if change is None else series(change),
        standing=unknown if rank is None else Fact(Standing(rank, 12.5, 1.0, None)),
    )


WHALE = wallet(6250.0, 312.5, 5)
DEAD = wallet(None, None, None)


def sample(
    copier: WalletFacts | None = None, whale: WalletFacts = WHALE, minutes: int = 0, before: Sample | None = None
) -> Sample:
    fetched = Fetched(NOW + timedelta(minutes=minutes), copier or wallet(), whale)
    return sample_of(fetched, PAIR.ratio, before.answered if before else {})


def session(*samples: Sample) -> Session:
    seen = Session(PAIR, 60.0, NOW)
    for each in samples:
        seen.add(each)
    return seen


def drawn(seen: Session, now: datetime, width: int = 100) -> str:
    out = StringIO()
    Console(file=out, width=width, height=60, color_system=None).print(panel(seen, now))
    return out.getvalue()


def test_block_has_this_exact_text() -> None:
    expected = """\
2026-11-23 10:00:00+00:00 | INFO |
  You (0xc0c0…c0c0): Value: $500.00  |  Day PnL: +$25.00  |  Rank: 1500
  swisstony (0xa1a1…a1a1): Value: $6,250.00  |  Day PnL: +$312.50  |  Rank: 5

  Expected PnL (8%): +$25.00
  Actual PnL:        +$25.00
  Gap:               $0.00 (0.00%)
  Efficiency:        100.00%"""
    assert block(sample(), PAIR) == expected


def test_zero_is_shown_as_a_number() -> None:
    text = block(sample(wallet(0.0, 0.0)), PAIR)
    assert "You (0xc0c0…c0c0): Value: $0.00  |  Day PnL: $0.00  |  Rank: 1500" in text
    assert "  Actual PnL:        $0.00\n  Gap:               -$25.00 (-100.00%)\n  Efficiency:        0.00%" in text
    assert "n/a" not in text


def test_unknown_values_show_their_reason_beside_known_values() -> None:
    text = block(sample(whale=wallet(None, 312.5, None)), PAIR)
    assert text.startswith("2026-11-23 10:00:00+00:00 | WARNING |")
    down = "n/a (HTTP 503)"
    assert f"swisstony (0xa1a1…a1a1): Value: {down}  |  Day PnL: +$312.50  |  Rank: {down}" in text
    assert "Efficiency:        100.00%" in text


def test_block_without_any_answer_shows_no_number() -> None:
    text = block(sample(DEAD, DEAD), PAIR)
    assert text.count("n/a (") == 10
    assert "$" not in text
    assert "0.00" not in text


def test_a_wallet_without_a_rank_is_not_a_failure() -> None:
    unranked = WalletFacts(Fact(1.0), series(1), Fact(Standing(None, None, None, None)))
    text = block(sample(unranked), PAIR)
    assert "INFO" in text
    assert "Rank: n/a (the wallet is not on the day's leaderboard)" in text


def test_a_losing_whale_has_a_loss_share_and_no_efficiency() -> None:
    text = block(sample(wallet(change=-37.5), wallet(6250.0, -312.5, 5)), PAIR)
    assert "Expected PnL (8%): -$25.00\n" in text
    assert "Gap:               -$12.50 (-50.00%)\n" in text
    assert text.endswith("  Loss share:        150.00%")
    assert "Efficiency" not in text


def test_shares_of_an_expected_pnl_near_zero_are_unknown() -> None:
    text = block(sample(wallet(change=-37.5), wallet(6250.0, 0.5, 5)), PAIR)
    assert "Gap:               -$37.54, n/a (the expected PnL is $0.04" in text
    assert "Efficiency:        n/a (the expected PnL is $0.04" in text


@pytest.mark.parametrize(
    ("label", "name"), [("me", "me (0xc0c0…c0c0)"), ("", "0xc0c0…c0c0"), ("0xc0c0…c0c0", "0xc0c0…c0c0")]
)
def test_wallet_name_is_label_and_short_address(label: str, name: str) -> None:
    assert LabelledWallet(label, PAIR.copier.address).name == name


def test_labels_of_any_ratio_stay_aligned() -> None:
    lines = block(sample(), WatchedPair(PAIR.copier, PAIR.whale, 0.0125, False)).splitlines()[-4:]
    assert lines[0].startswith("  Expected PnL (1.25%): +$")
    assert {line.index("$") - line[: line.index("$")].endswith(("+", "-")) for line in lines[:2]} == {24}


@pytest.mark.parametrize(
    ("usd", "text"), [(0.0, "$0.00"), (-0.001, "$0.00"), (0.004, "$0.00"), (25, "+$25.00"), (-1234.5, "-$1,234.50")]
)
def test_amounts_have_a_sign_unless_they_round_to_zero(usd: float, text: str) -> None:
    assert signed(usd) == text


@pytest.mark.parametrize(
    ("value", "text", "with_sign"),
    [
        (0.0, "0.00%", "0.00%"),
        (-0.001, "0.00%", "0.00%"),
        (12.346, "12.35%", "+12.35%"),
        (-1000, "-1,000.00%", "-1,000.00%"),
    ],
)
def test_percentages_have_two_digits_and_no_negative_zero(value: float, text: str, with_sign: str) -> None:
    assert percent(value) == text
    assert signed_percent(value) == with_sign


@pytest.mark.parametrize(
    ("reason", "short"),
    [
        (DOWN, "HTTP 503"),
        ("copier's PnL series: " + DOWN, "copier's PnL series: HTTP 503"),
        ("GET http://a/b?c=d (page 3): torn; what to do: wait", "torn"),
        ("no points", "no points"),
        ("x" * 200, "x" * 89 + "…"),
    ],
)
def test_brief_reason_drops_url_attempts_and_advice(reason: str, short: str) -> None:
    assert brief(reason) == short


def test_sparkline_scales_from_lowest_to_highest() -> None:
    assert sparkline([]) == ""
    assert sparkline([None, 0.0, None]) == " ▄ "
    assert sparkline([-5, 2, None, 5]) == "▁▆ █"
    assert sparkline([2.0, 2.0]) == "▄▄"


@given(st.lists(st.none() | st.floats(-1e9, 1e9)))
def test_sparkline_has_one_character_per_value_in_order(values: list[float | None]) -> None:
    bars = sparkline(values)
    assert [bar == " " for bar in bars] == [value is None for value in values]
    known = [(value, bar) for value, bar in zip(values, bars, strict=True) if value is not None]
    assert all(a[1] <= b[1] for a in known for b in known if a[0] <= b[0])


def test_json_has_every_number_and_every_reason_and_no_other_null() -> None:
    first = sample()
    later = sample(DEAD, WHALE, minutes=3, before=first)
    body = json.loads(json_line(later, PAIR))
    assert body["timestamp"] == "2026-11-23T10:03:00+00:00"
    assert (body["user2_value"], body["user2_pnl"], body["user2_rank"], body["user2_volume"]) == (6250.0, 312.5, 5, 12.5)
    assert (body["expected_pnl"], body["scaling_ratio"], body["simulated"]) == (25.0, 0.08, False)
    assert (body["user1_label"], body["user1_address"]) == ("You", PAIR.copier.address)
    assert (body["window_start"], body["hours_covered"]) == ("2026-11-22T11:00:00+00:00", 23.0)
    assert body["sources"]["user1_value"] == {"ok": False, "age": 180.0}
    assert body["sources"]["user2_standing"] == {"ok": True, "age": 0.0}
    nulls = {name for name, value in body.items() if value is None}
    assert nulls == set(body["reasons"]) - set(body["sources"]) | {"user1_value", "user1_pnl"}
    assert all(body["reasons"].values())
    assert body["reasons"]["user1_value"] == DOWN


def test_json_without_any_answer_has_null_ages_and_numbers() -> None:
    body = json.loads(json_line(sample(DEAD, DEAD), PAIR))
    assert {source["ok"] for source in body["sources"].values()} == {False}
    assert {source["age"] for source in body["sources"].values()} == {None}
    numbers = ("user1_value", "user2_pnl", "user1_rank", "expected_pnl", "pnl_vs_expected", "pnl_efficiency", "loss_share")
    assert all(body[name] is None and body["reasons"][name] for name in numbers)


def test_the_panel_shows_numbers_changes_and_ages() -> None:
    first = sample(wallet(500.0, 25.0, 1500))
    second = sample(wallet(490.0, 20.0, 1510), minutes=1, before=first)
    third = sample(wallet(495.5, 26.0, 1490), minutes=2, before=second)
    text = drawn(session(first, second, third), NOW + timedelta(minutes=2, seconds=20))
    rows = [" ".join(line.strip("│ ").split()) for line in text.splitlines()]
    at = rows.index("You (0xc0c0…c0c0) $495.50 +$26.00 1490")
    assert rows[at + 1 : at + 3] == [
        "since the last +$5.50 +$6.00 -20",
        "since the start -$4.50 +$1.00 -10",
    ]
    assert "Gap +$1.00 (+4.00%)" in rows
    assert "over the session ▇▁█" in rows
    assert "Efficiency 104.00%" in rows
    assert "Age, You: value 20 s, pnl 20 s, standing 20 s" in rows
    assert "Day PnL over 22 Nov 11:00 to 23 Nov 10:00 UTC (23 h)" in rows
    assert "SIMULATED" not in text


def test_the_panel_fits_a_small_terminal() -> None:
    first = sample()
    good = session(first, sample(minutes=1))
    bad = session(first, sample(DEAD, DEAD, minutes=1, before=first))
    for seen in (good, bad):
        lines = drawn(seen, NOW, width=80).splitlines()
        assert len(lines) <= 24
        assert {len(line) for line in lines} == {len(lines[0])}


def test_a_narrow_terminal_cuts_no_number() -> None:
    text = drawn(session(sample()), NOW, width=46)
    assert all(number in text for number in ("$500.00", "$6,250.00", "+$312.50", "1500", "100.00%"))


def test_the_panel_shows_an_outage_and_no_old_number() -> None:
    first = sample()
    dead = sample(DEAD, DEAD, minutes=1, before=first)
    text = drawn(session(first, dead), NOW + timedelta(minutes=5))
    assert "OUTAGE since 23 Nov 10:01 UTC: no source answers (HTTP 503)" in text
    assert "$" not in text
    assert "Age, You: value 5 min, pnl 5 min, standing 5 min" in text
    back = drawn(session(first, dead, sample(minutes=6, before=dead)), NOW + timedelta(minutes=6))
    assert "OUTAGE" not in back
    assert "3 updates since 23 Nov 10:00 UTC, every 60 s, 1 incomplete" in back


def test_panel_says_fetching_before_the_first_answer_and_never_answered_without_one() -> None:
    assert "fetching both wallets" in drawn(session(), NOW)
    assert "value never answered" in drawn(session(sample(DEAD, DEAD)), NOW)


def test_the_panel_says_that_data_is_simulated_and_prints_labels_as_they_are() -> None:
    pair = WatchedPair(LabelledWallet("[bold]me[/bold] [link=x]", PAIR.copier.address), PAIR.whale, 0.08, True)
    seen = Session(pair, 60.0, NOW)
    seen.add(sample())
    text = drawn(seen, NOW, width=140)
    assert "SIMULATED DATA" in text
    assert "[bold]me[/bold] [link=x] (0xc0c0…c0c0)" in text


def test_summary_has_first_and_last_values_and_the_range_of_the_gap() -> None:
    first = sample()
    samples = [first, sample(DEAD, DEAD, 1), sample(wallet(None), WHALE, 2), sample(wallet(510.0, 20.0), WHALE, 90)]
    assert summary(session(*samples), None).splitlines() == [
        "Session: 2026-11-23 10:00:00+00:00 to 2026-11-23 11:30:00+00:00 (90 min), 4 updates, 1 with a source missing, "
        "1 without any answer",
        "  You (0xc0c0…c0c0): Value: $500.00 -> $510.00 (+$10.00)",
        "  You (0xc0c0…c0c0): Day PnL: +$25.00 -> +$20.00 (-$5.00)",
        "  swisstony (0xa1a1…a1a1): Value: $6,250.00 -> $6,250.00 ($0.00)",
        "  swisstony (0xa1a1…a1a1): Day PnL: +$312.50 -> +$312.50 ($0.00)",
        "  Gap: $0.00 -> -$5.00 (-$5.00)",
        "  The gap was between -$5.00 and $0.00",
    ]


def test_summary_without_any_answer_has_no_amount() -> None:
    assert summary(session(), None) == "Session: 2026-11-23 10:00:00+00:00 to 2026-11-23 10:00:00+00:00 (0 s), 0 updates"
    text = summary(session(sample(DEAD, DEAD)), None)
    assert "Gap: n/a (" in text
    assert "$" not in text


def test_a_long_session_keeps_its_first_values_and_the_newest_samples() -> None:
    seen = Session(PAIR, 60.0, NOW)
    for minute in range(NEWEST_KEPT + 60):
        seen.add(sample(wallet(500.0 + minute), minutes=minute))
    assert len(seen.samples) == NEWEST_KEPT
    assert seen.changes("user1_value") == (1.0, NEWEST_KEPT + 59.0)
