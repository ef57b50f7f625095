"""Messages composed from transitions: one a condition and kind, of bounded length."""

from polypipe.alerts.messages import LINES, compose
from polypipe.alerts.state import Transition
from polypipe.text import LINE
from polypipe_tests.alerts.support import MINUTE, NOW, RULES


def transition(key, kind="fired", rule="missed_copy"):
    return Transition(kind, rule, key, f"text of {key}", NOW - 5 * MINUTE, False)


def test_one_message_per_condition_and_kind_however_many_fire():
    many = [transition(str(n)) for n in range(42)]
    fired, over, other = compose(
        [*many, transition("x", "recovered"), transition("y", rule="disk_low")], RULES, NOW
    )  # fmt: skip
    assert fired.title == "CRITICAL: The whale traded and the copier did not (42)"
    assert fired.body.splitlines() == [*(f"text of {n}" for n in range(LINES)), "and 37 more", "(missed_copy)"]
    assert (over.severity, over.title) == ("recovered", "RECOVERED: The whale traded and the copier did not")
    assert (
        over.body == "No new miss (whether this one was made up for is not checked) after 5 min: text of x\n(missed_copy)"
    )
    (disk,) = compose([transition("y", "recovered", "disk_low")], RULES, NOW)
    assert disk.body == "Over after 5 min: text of y\n(disk_low)"
    assert other.title == "CRITICAL: The disk is nearly full"


def test_message_of_many_long_findings_stays_short():
    long = [Transition("fired", "missed_copy", str(n), "x" * 5000, NOW, False) for n in range(100)]
    (message,) = compose(long, RULES, NOW)
    assert len(message.body) < (LINES + 2) * (LINE + 1)
