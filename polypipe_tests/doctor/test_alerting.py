"""The check of alert rules and channels."""

from datetime import timedelta

from polypipe.alerts.store import AlertState, Backoff, Delivery, save_state, state_path
from polypipe_tests.conftest import settings_for
from polypipe_tests.doctor.support import NOW, inputs_of, results

URLS = "json://127.0.0.1:9/secret-a,json://127.0.0.1:9/secret-b"


def look(settings):
    return results(inputs_of(settings, now=NOW), "alerts")


def here(urls=URLS):
    return settings_for("http://127.0.0.1:9", POLYPIPE_ALERT_URLS=urls)


def test_missing_channels_are_skipped_with_what_to_set():
    found = look(here(urls=""))
    assert found["alert channels"].status == "skipped"
    assert "POLYPIPE_ALERT_URLS" in found["alert channels"].finding


def test_failing_channel_is_a_warning():
    settings = here()
    settings.home.mkdir(parents=True)
    assert look(settings)["alert channels"].status == "ok"  # nothing was ever sent
    state = AlertState(watching_since=NOW)
    state.backoff["json-2"] = Backoff(failures=3, reason="it answered HTTP 500", next_try=NOW + timedelta(minutes=2))
    state.deliveries.append(Delivery(channel="json-2", created_at=NOW, severity="warning", title="t", body="b"))
    save_state(settings.home, state)
    failing = look(settings)["alert channels"]
    assert (failing.status, failing.finding.partition(";")[0]) == ("warning", "1 of 2 channels failed at the last try")
    assert failing.details == ("json-2 failed 3 times in a row: it answered HTTP 500; messages waiting: 1",)
    assert "polypipe alert test" in failing.advice
    assert "secret" not in f"{failing}"


def test_damaged_state_and_invalid_rules_are_warnings():
    settings = here()
    settings.home.mkdir(parents=True)
    state_path(settings.home).parent.mkdir(parents=True, exist_ok=True)
    state_path(settings.home).write_text("{")
    (settings.home / "alerts.toml").write_text("[missed_copy]\nusd = 'many'\n")
    found = look(settings)
    assert found["alert rules"].status == "warning"
    assert "missed_copy" in found["alert rules"].finding
    assert found["alert channels"].status == "warning"
    assert "cannot be read" in found["alert channels"].finding
