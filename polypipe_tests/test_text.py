"""Text from outside in messages."""

import unicodedata
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from polypipe.alerts.messages import LINES, compose
from polypipe.alerts.state import Transition
from polypipe.text import LINE, plain, span, usd, why
from polypipe_tests.alerts.support import MINUTE, NOW, RULES


@given(st.text(max_size=400))
def test_text_from_outside_is_one_short_line_without_markup(text):
    line = plain(text)
    assert len(line) <= 80
    assert not any(unicodedata.category(c)[0] == "C" for c in line)
    assert not set(line) & set("@[]<>*`~|#\\\n\r\t")
    assert "://" not in line


def test_what_chat_programs_would_act_on():
    assert plain("[Claim](https://evil.example) @everyone <!channel> **now** \u202eabc") == (
        "(Claim)(https: //evil.example) ＠everyone ‹!channel› ∗∗now∗∗ abc"
    )


def test_an_error_leaves_out_the_query_of_an_address():
    error = "GET https://h.example/events/keyset?limit=100&after_cursor=abc (page 3): HTTP 429; after 5 attempts?"
    assert why(error) == "GET https: //h.example/events/keyset (page 3): HTTP 429; after 5 attempts"
    assert why("GET http://h/value?user=0x1: HTTP 500") == "GET http: //h/value: HTTP 500"


def test_durations_and_money():
    spans = [span(timedelta(seconds=s)) for s in (-3, 0, 119, 120, 7199, 7200, 172_799, 172_800, 1e7)]
    assert spans == ["0 s", "0 s", "119 s", "2 min", "119 min", "2 h 00 min", "47 h 59 min", "2 d 0 h", "115 d 17 h"]
    assert [usd(amount) for amount in (0, -0.001, -12, 1234.5, 12345.6)] == [
        "$0.00",
        "$0.00",
        "−$12.00",
        "$1,234.50",
        "$12,346",
    ]


def transition(key, kind="fired", condition="missed_copy"):
    return Transition(kind, condition, key, f"text of {key}", NOW - 5 * MINUTE, False)


def test_one_message_a_condition_and_kind_however_many_things_fire():
    many = [transition(str(n)) for n in range(42)]
    fired, over, other = compose(
        [*many, transition("x", "recovered"), transition("y", condition="disk_low")], RULES, NOW
    )  # fmt: skip
    assert fired.title == "CRITICAL: The whale traded and the copier did not (42)"
    assert fired.body.splitlines() == [*(f"text of {n}" for n in range(LINES)), "and 37 more", "(missed_copy)"]
    assert (over.severity, over.title) == ("recovered", "RECOVERED: The whale traded and the copier did not")
    assert over.body == "No new miss (whether it was made good is not looked at) after 5 min: text of x\n(missed_copy)"
    (disk,) = compose([transition("y", "recovered", "disk_low")], RULES, NOW)
    assert disk.body == "Over after 5 min: text of y\n(disk_low)"
    assert other.title == "CRITICAL: The disk is nearly full"


def test_no_message_is_long():
    long = [Transition("fired", "missed_copy", str(n), "x" * 5000, NOW, False) for n in range(100)]
    (message,) = compose(long, RULES, NOW)
    assert len(message.body) < (LINES + 2) * (LINE + 1)
