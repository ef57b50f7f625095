"""Helpers of the doctor's tests: inputs, and results by name."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from polypipe.doctor.answers import Network
from polypipe.doctor.checks import CHECKS, results_of
from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result
from polypipe.polymarket import Activity
from polypipe.settings import Settings
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS

WALLETS = {"POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS, "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS}
WHALE = "0x" + "ab" * 20
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def inputs_of(settings: Settings, network: Network | None = None, now: datetime | None = None) -> Inputs:
    """Inputs for checks that use no network, or the given one."""
    return Inputs(settings, now or datetime.now(UTC), Path("/nonexistent/.env"), network or Network())


def results(inputs: Inputs, *names: str) -> dict[str, Result]:
    """The results of the checks with these names (default: all), by the result's name."""
    chosen = [check for check in CHECKS if not names or check.name in names]
    assert chosen
    return {result.name: result for check in chosen for result in results_of(check, inputs)}


def fill(age: timedelta = timedelta(minutes=5), **changes: Any) -> Activity:
    """A fill of the whale, this long before `NOW`."""
    row = Activity(
        wallet=WHALE,
        timestamp=NOW - age,
        type="TRADE",
        condition_id="0x1",
        asset="1",
        side="BUY",
        size=1.0,
        usdc_size=0.5,
        price=0.5,
        outcome_index=0,
        transaction_hash="0xaa",
        title="",
        slug="",
        event_slug="",
        outcome="",
    )
    return msgspec.structs.replace(row, **changes)
