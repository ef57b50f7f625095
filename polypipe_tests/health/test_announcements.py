"""Notices of the API, and days that other facts contradict: what is shown, and what degrades a status."""

from datetime import UTC, datetime, timedelta

import pytest

from polypipe.health.registry import failing, notices
from polypipe_tests.health.support import NOW, WALLETS, facts, run, state

DEPRECATED = "data-api.polymarket.com/value: Deprecation 2026-10-01: @1790812800"


def sunset(days: float) -> str:
    on = (NOW + timedelta(days=days)).date()
    return f"gamma-api.polymarket.com/events/keyset: Sunset {on}: some text"


def test_announcement_is_a_notice_and_degrades_nothing() -> None:
    found = run("api_announced", facts(announced=[DEPRECATED]))
    assert [one.text for one in found] == [f"Polymarket announces {DEPRECATED}: update polypipe before the path ends"]
    assert (failing(found), notices(found)) == ([], [found[0].text])
    assert state("api_announced", facts(announced=[])) == {"": "ok"}


@pytest.mark.parametrize(("days", "ends"), [(-3, "failing"), (29, "failing"), (32, "ok")])
def test_path_that_ends_within_30_days_degrades(days: float, ends: str) -> None:
    found = run("api_ends", facts(announced=[DEPRECATED, sunset(days)]))
    assert [(one.key, one.state) for one in found] == [("gamma-api.polymarket.com/events/keyset", ends)]
    assert bool(failing(found)) == (ends == "failing")


def test_unknown_days_are_named_with_the_reason_and_what_to_do() -> None:
    days = {datetime(2026, 11, day, tzinfo=UTC): "the listing ends" for day in (3, 4, 5)}
    found = run("unproven_days", facts(unproven_days={WALLETS.whale: days}))
    assert [(one.key, one.state, one.value) for one in found] == [("copier", "ok", 0), ("whale", "failing", 3)]
    assert found[1].text == (
        "The whale's activity is not known completely on 3 days (2026-11-03 to 2026-11-05), so numbers of these days are "
        "unknown: the listing ends. Backfill wallet_activity for them; if they stay unknown, set POLYPIPE_HISTORY_START to "
        "2026-11-06"
    )
    assert failing(found) == [found[1].text]


def test_unknown_days_before_the_history_or_the_last_30_days_are_not_asked_for() -> None:
    early = {datetime(2026, 1, 1, tzinfo=UTC): "the listing ends"}
    assert state("unproven_days", facts(unproven_days={WALLETS.copier: early})) == {"copier": "ok", "whale": "ok"}
    assert state("unproven_days", facts(wallets=None)) == {}
