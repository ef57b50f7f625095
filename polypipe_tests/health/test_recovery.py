"""A lost or damaged database: findings, `status`, and the alert with its recovery."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from polypipe.alerts.messages import compose
from polypipe.alerts.rules import defaults
from polypipe.alerts.state import step
from polypipe.health.facts import Facts
from polypipe.health.finding import Finding
from polypipe.health.registry import BY_NAME
from polypipe.health.status import status_of
from polypipe.limits import REBUILT_SHOWN
from polypipe.warehouse import Append, Warehouse, WarehouseError
from polypipe.warehouse.recovery import Lost, Recovery, read_recovery, write_recovery
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.health.support import NOW, facts, run
from polypipe_tests.warehouse.helpers import write
from polypipe_tests.warehouse.losses import activity, fill, make_newer, overwrite

MINUTE = timedelta(minutes=1)
HEALED = Recovery(
    NOW - MINUTE,
    "Corrupt database file",
    healed_at=NOW - MINUTE,
    version=7,
    rows={"crawls": 1000, "tokens": 483},
    aside="damaged/20261123T115900000000Z",
)


def damaged(recovery: Recovery | None, now: datetime = NOW) -> Finding:
    (found,) = run("database_damaged", facts(now=now, recovery=recovery))
    return found


def test_a_database_is_damaged_until_it_is_rebuilt_and_for_the_next_rounds_of_the_alerts() -> None:
    assert damaged(None).state == "ok"
    waiting = damaged(Recovery(NOW - MINUTE, "it cannot be rebuilt: no space", error="rows wait in the spool"))
    assert waiting.state == "failing"
    assert "no space; rows wait in the spool" in waiting.text
    assert damaged(HEALED).state == "failing"
    assert damaged(HEALED, HEALED.found_at + REBUILT_SHOWN).state == "ok"


def test_the_recovery_of_the_alert_says_what_came_back() -> None:
    rules = defaults()
    lost = Recovery(NOW, "it cannot be rebuilt: no space", error="rows wait in the spool")
    fired, said = step([], {"database_damaged": [damaged(lost)]}, rules, [], NOW)
    assert [message.title for message in compose(said, rules, NOW)] == ["CRITICAL: The database was damaged"]
    healed, said = step(fired, {"database_damaged": [damaged(HEALED)]}, rules, [], NOW)
    assert said == []
    later = NOW + 2 * REBUILT_SHOWN
    _, said = step(healed, {"database_damaged": [damaged(HEALED, later)]}, rules, [], later)
    (message,) = compose(said, rules, later)
    assert message.title == "RECOVERED: The database was damaged"
    assert "1,483 rows in 2 tables came back, nothing is lost" in message.body
    assert "damaged/20261123T115900000000Z" in message.body


def test_an_incident_that_is_over_within_a_second_is_still_sent() -> None:
    _, said = step([], {"database_damaged": [damaged(HEALED)]}, defaults(), [], NOW)
    assert [transition.kind for transition in said] == ["fired"]


def test_lost_days_are_named_until_they_are_stored_again(warehouse: Warehouse, settings: Any) -> None:
    day = date(2026, 11, 21)
    lost = [
        Lost("wallet_activity", 3, "it is damaged", datetime.now(UTC), day, day, version=1),
        Lost("snapshots", 1440, "it is damaged", datetime.now(UTC), day, day, version=1),
    ]

    def texts(probe: str) -> list[str]:
        with Facts(settings, warehouse=warehouse) as known:
            return [finding.text for finding in BY_NAME[probe].run(known)]

    assert texts("rows_lost") == []
    write_recovery(warehouse.layout, Recovery(datetime.now(UTC), "x", healed_at=datetime.now(UTC), lost=lost))
    for _ in range(2):  # another table, twice: versions 1 and 2
        fill_other(warehouse)
        (text,) = texts("rows_lost")
        assert "3 rows of wallet_activity of 2026-11-21: lost on" in text
    with warehouse.batch("x") as batch:
        batch.add("wallet_activity", [activity(1, 0)])
        batch.commit({"wallet_activity": Append()})
    warehouse.merge()
    assert texts("rows_lost") == []
    (text,) = texts("records_lost")
    assert "1,440 rows of snapshots of 2026-11-21: lost for good" in text
    assert BY_NAME["records_lost"].severity == "info"  # nothing can be done about it


def fill_other(warehouse: Warehouse) -> None:
    write(warehouse, "c")
    warehouse.merge()


@pytest.mark.slow
def test_status_is_degraded_from_the_first_failed_merge_until_it_is_rebuilt() -> None:
    settings = settings_for(NOWHERE)
    warehouse = Warehouse(settings.home)
    fill(warehouse, days=1)

    def reasons(later: timedelta = timedelta()) -> list[str]:
        with Facts(settings, datetime.now(UTC) + later, warehouse=warehouse) as known:
            return [reason for reason in status_of(known).reasons if "polypipe.duckdb" in reason]

    assert reasons() == []
    make_newer(warehouse.layout.database)
    with pytest.raises(WarehouseError, match="newer DuckDB"):
        warehouse.merge()
    (reason,) = reasons()
    assert "cannot be used since" in reason
    assert "polypipe rebuild" in reason
    assert reasons(timedelta(hours=5)) != []
    warehouse.check(by_hand=True)
    (reason,) = reasons()
    assert "came back, nothing is lost" in reason
    assert reasons(2 * REBUILT_SHOWN) == []
    overwrite(warehouse.layout.database, 0, 16)
    warehouse.merge()  # a writer heals it by itself
    assert "not a valid DuckDB" in reasons()[0] or "Corrupt" in reasons()[0]


def test_an_unreadable_record_is_no_incident(warehouse: Warehouse) -> None:
    warehouse.layout.recovery.write_text("{torn")
    assert read_recovery(warehouse.layout) is None
