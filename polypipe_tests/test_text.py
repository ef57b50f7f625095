"""Formatting for people, and untrusted text made harmless."""

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.text import bounded, count, duration, money, plain, utc_text, why


@given(st.text(max_size=400))
def test_untrusted_text_is_one_short_line_without_markup(text: str) -> None:
    line = plain(text)
    assert len(line) <= 80
    assert not any(unicodedata.category(c)[0] == "C" for c in line)
    assert not set(line) & set("@[]<>*`~|#\\\n\r\t")
    assert "://" not in line


def test_untrusted_text_keeps_nothing_that_chat_programs_act_on() -> None:
    assert plain("[Claim](https://evil.example) @everyone <!channel> **now** \u202eabc") == (
        "(Claim)(https: //evil.example) ＠everyone ‹!channel› ∗∗now∗∗ abc"
    )


def test_error_text_has_hosts_and_paths_without_schemes_and_query_strings() -> None:
    error = "GET https://h.example/events/keyset?limit=100&after_cursor=abc (page 3): HTTP 429; after 5 attempts?"
    assert why(error) == "GET h.example/events/keyset (page 3): HTTP 429; after 5 attempts"
    assert why("GET http://h/value?user=0x1: HTTP 500") == "GET h/value: HTTP 500"


def test_bounded_text_ends_with_an_ellipsis() -> None:
    assert (bounded("a\n b", 3), bounded("abcd", 3)) == ("a b", "ab…")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h 00 min"),
        (7260, "2 h 01 min"),
        (172_799, "47 h 59 min"),
        (172_800, "2 d 0 h"),
        (1e7, "115 d 17 h"),
    ],
)
def test_duration_uses_the_largest_fitting_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(("seconds", "text"), [(-0.2, "0 s"), (-29, "0 s"), (-30, "-30 s"), (-7260, "-2 h 01 min")])
def test_negative_duration_of_30_seconds_or_more_keeps_its_sign(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_money_has_cents_and_no_negative_zero() -> None:
    shown = [money(usd) for usd in (0, -0.0, -0.001, 1234.5, -0.4, -12345.6)]
    assert shown == ["$0.00", "$0.00", "$0.00", "$1,234.50", "-$0.40", "-$12,345.60"]


def test_count_agrees_in_number() -> None:
    shown = [count(0, "file"), count(1, "file"), count(1200, "file"), count(2, "batch", "batches")]
    assert shown == ["0 files", "1 file", "1,200 files", "2 batches"]


def test_times_are_shown_in_utc() -> None:
    noon = datetime(2026, 11, 30, 12, 34, 56, tzinfo=timezone(timedelta(hours=2)))
    assert (utc_text(noon), utc_text(noon, seconds=True)) == ("2026-11-30 10:34 UTC", "2026-11-30 10:34:56 UTC")
    assert utc_text(datetime(2026, 11, 30, tzinfo=UTC)) == "2026-11-30 00:00 UTC"
