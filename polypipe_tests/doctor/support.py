"""Helpers of the doctor's tests: inputs, and results by name."""

from datetime import UTC, datetime
from pathlib import Path

from polypipe.doctor.answers import Network
from polypipe.doctor.checks import CHECKS, results_of
from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result
from polypipe.settings import Settings
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS

WALLETS = {"POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS, "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def inputs_of(settings: Settings, network: Network | None = None, now: datetime | None = None) -> Inputs:
    """Inputs for checks that use no network, or the given one."""
    return Inputs(settings, now or datetime.now(UTC), Path("/nonexistent/.env"), network or Network())


def results(inputs: Inputs, *names: str) -> dict[str, Result]:
    """The results of the checks with these names (default: all), by the result's name."""
    chosen = [check for check in CHECKS if not names or check.name in names]
    assert chosen
    return {result.name: result for check in chosen for result in results_of(check, inputs)}
