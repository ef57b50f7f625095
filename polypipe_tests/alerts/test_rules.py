"""The rules: what a file may change, what it may not, and what stays in force when it is broken."""

from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.alerts.rules import FILE, InvalidRules, defaults, load_rules, parse
from polypipe.health.registry import ALERTED
from polypipe.limits import NUMBERS
from polypipe_tests.conftest import NOWHERE, settings_for


@pytest.fixture
def settings():
    return settings_for(NOWHERE)


def test_every_rule_has_a_probe_and_every_alerted_probe_a_rule():
    assert set(defaults()) == {probe.rule for probe in ALERTED}
    assert set(NUMBERS) <= set(defaults())


def test_file_changes_only_what_it_names():
    rules = parse(
        b'[missed_copy]\nusd = 250\nhold = "2m"\ncooldown = "1h"\nseverity = "info"\nmute = true\ndry_run = true\n'
        b'[contract_drift]\nversions = ["v1", "v2", "v3"]\n[digest]\nat = "06:30"\nmute = true\n'
    )
    changed = rules.rules["missed_copy"]
    assert changed.limits["usd"] == 250
    assert changed.limits["seconds"] == defaults()["missed_copy"].limits["seconds"]
    assert (changed.hold, changed.cooldown) == (timedelta(minutes=2), timedelta(hours=1))
    assert (changed.severity, changed.mute, changed.dry_run, changed.source) == ("info", True, True, FILE)
    assert rules.rules["contract_drift"].names["versions"] == ("v1", "v2", "v3")
    assert (rules.digest.at, rules.digest.mute) == (time(6, 30), True)
    others = {name: rule for name, rule in rules.rules.items() if name not in ("missed_copy", "contract_drift")}
    assert others == {name: rule for name, rule in defaults().items() if name in others}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[missed]\n", ["'missed'", "missed_copy"]),
        ("missed_copy = 1\n", ["missed_copy", "[missed_copy]"]),
        ("[missed_copy]\nus = 1\n", ["'us'", "usd", "cooldown"]),
        ("[missed_copy]\nusd = -1\n", ["missed_copy.usd", "-1", "0.01"]),
        ("[missed_copy]\nusd = true\n", ["missed_copy.usd", "True"]),
        ("[missed_copy]\nusd = nan\n", ["missed_copy.usd", "nan"]),
        ('[missed_copy]\nusd = "250"\n', ["missed_copy.usd", "'250'"]),
        ("[missed_copy]\nhold = 5\n", ["missed_copy.hold", "5", "15m"]),
        ('[missed_copy]\ncooldown = "500d"\n', ["missed_copy.cooldown", "500d"]),
        ('[missed_copy]\nseverity = "loud"\n', ["missed_copy.severity", "'loud'", "critical"]),
        ("[missed_copy]\nmute = 1\n", ["missed_copy.mute", "true or false"]),
        ("[copy_gap]\ndays = 3\n", ["copy_gap.days", "1, 7 or 30"]),
        ('[contract_drift]\nversions = "v1"\n', ["contract_drift.versions", "list"]),
        ('[digest]\nat = "25:00"\n', ["digest.at", "25:00"]),
        ("[digest]\nhour = 1\n", ["'hour'", "at"]),
        ("[digest\n", ["not valid TOML"]),
        (f"[missed_copy]\nusd = {'9' * 400}\n", ["missed_copy.usd", "999", "0.01"]),
        (f"[missed_copy]\nusd = {'9' * 5000}\n", ["not valid TOML"]),
        (f"x = {'[' * 5000}", ["not valid TOML"]),
    ],
)
def test_invalid_file_is_one_line_that_names_what_is_allowed(text, named):
    with pytest.raises(InvalidRules) as error:
        parse(text.encode())
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 500
    for word in named:
        assert word in message


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_bytes_are_rules_or_a_one_line_error(data):
    try:
        parse(data)
    except InvalidRules as error:
        message = str(error)
    else:
        return
    assert "\n" not in message


def test_invalid_file_keeps_the_last_valid_rules_after_a_restart_too(settings):
    settings.home.mkdir()
    file = settings.home / FILE
    assert load_rules(settings, remember=True).rules == defaults()
    file.write_text("[missed_copy]\nusd = 250\n")
    good = load_rules(settings, remember=True)
    file.write_text("[missed_copy]\nusd = -250\n")
    broken = load_rules(settings, remember=True)
    assert broken.rules == good.rules
    assert broken.error == f"{FILE}: missed_copy.usd: -250 is not a number from 0.01 to 1e+09 (USD)"
    file.write_text("[missed_copy]\nusd = 99\n")
    mended = load_rules(settings, remember=True)
    assert (mended.error, mended.rules["missed_copy"].limits["usd"]) == (None, 99)
    file.unlink()
    assert load_rules(settings, remember=True).rules == defaults()
    file.write_text("x")
    assert load_rules(settings).rules == defaults()  # rules from before the file was removed do not come back


def test_loading_the_rules_writes_nothing(settings):
    settings.home.mkdir()
    (settings.home / FILE).write_text("[missed_copy]\nusd = 250\n")
    load_rules(settings)
    assert [path.name for path in settings.home.iterdir()] == [FILE]
