"""What the doctor's tests share: a simulated exchange at the present, and results by name."""

from datetime import UTC, datetime
from pathlib import Path

from polypipe.doctor.checks import CHECKS, results_of
from polypipe.doctor.inputs import Facts
from polypipe.doctor.network import Network
from polypipe.doctor.result import Result
from polypipe.settings import Settings
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS

WALLETS = {"POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS, "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def facts_of(settings: Settings, network: Network | None = None, now: datetime | None = None) -> Facts:
    """Facts for checks that do not look at the network, or at the one given."""
    return Facts(settings, now or datetime.now(UTC), Path("/nonexistent/.env"), network or Network())


def results(facts: Facts, *names: str) -> dict[str, Result]:
    """The results of the checks with these names (of all of them without), by the name of the result."""
    chosen = [check for check in CHECKS if not names or check.name in names]
    assert chosen
    return {result.name: result for check in chosen for result in results_of(check, facts)}
