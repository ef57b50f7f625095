"""Renders findings as Dagster's asset checks. The only module of health that imports dagster.

The checks look at what is stored now, whoever wrote it. They only report.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import dagster as dg

from polypipe.caches.registry import CACHES
from polypipe.caches.spec import CacheSpec
from polypipe.health.bot_files import MAX_CHANGED_SHARE, MAX_LIVE_SHARE, MIN_COVERAGE
from polypipe.health.facts import Facts
from polypipe.health.finding import Finding, Probe
from polypipe.health.registry import BY_NAME
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

SHOWN = 5
"""Findings that one check names."""


@dataclass(frozen=True)
class Check:
    """One asset check: a probe under the name that Dagster knows. `value` names the finding's value in the metadata."""

    name: str
    probe: str
    description: str
    value: str = ""


CHECKS: dict[str, Sequence[Check]] = {
    "divergence_snapshot": (
        Check("recent", "snapshot_old", "The newest snapshot is fresh: three intervals, at least 5 minutes.", "seconds"),
        Check("complete", "snapshot_incomplete", "Every source of the newest snapshot answered."),
        Check("gaps", "snapshot_gaps", "No snapshot is missing in the last 24 hours.", "gaps"),
    ),
    "positions": (
        Check("recent", "positions_old", "The newest comparison is not older than 20 minutes.", "seconds"),
        Check("orphans", "orphans", "The copier holds nothing that the whale has left.", "orphans"),
        Check("addresses", "addresses", "The address of each wallet has both its fills and its positions."),
    ),
    "divergence_db": (Check("whole", "export_whole", "The database is undamaged and can be read.", "rows"),),
    "wallet_pnl": (
        Check("recent", "pnl_recent", "Both wallets have points up to the end of yesterday."),
        Check("hourly", "pnl_hourly", "No hour is missing in the stored part of the last 30 days."),
    ),
    "wallet_activity": (
        Check("recent", "activity_recent", "Yesterday is known completely for both wallets."),
        Check("unique", "activity_unique", "No activity is stored twice.", "rows"),
        Check("proven", "unproven_days", "No day of the last 30 is contradicted by other facts.", "days"),
        Check("counted", "activity_counted", "Each day has as many rows as were read.", "days"),
    ),
    "copy_quality_daily": (
        Check("recent", "quality_recent", "Yesterday is computed."),
        Check("known", "quality_known", "The gap of the newest day is known."),
    ),
    "copy_fills": (
        Check("counted", "fills_counted", "Each fill of the whale is stored once, on the days that are computed.", "days"),
    ),
    "copy_metrics_daily": (Check("recent", "metrics_recent", "Yesterday is computed."),),
    "gap_attribution": (
        Check("recent", "gap_recent", "Yesterday is computed."),
        Check("sums", "gap_sums", "The parts of every day sum to its gap.", "days"),
        Check("agrees", "exits_agree", "Its uncopied exits and the statuses of the positions agree on every token."),
    ),
}
"""Asset -> its checks."""

FILE_CHECKS = (
    Check("entries", "file_entries", "The file parses as strictly as in the bot and has entries.", "entries"),
    Check(
        "coverage",
        "file_coverage",
        f"At least {MIN_COVERAGE:.0%} of the universe's tokens that belong in the file are in it.",
    ),
    Check(
        "changes",
        "file_changes",
        f"The last publication changed less than {MAX_CHANGED_SHARE:.0%} of the entries.",
        "touched",
    ),
    Check("age", "file_old", "The file was confirmed within its limit.", "seconds"),
)
LIVE_CHECKS = (
    *FILE_CHECKS,
    Check("live_count", "file_live_count", f"Some tokens are in play, and at most {MAX_LIVE_SHARE:.0%} of them.", "live"),
)


def check_results(checks: Iterable[Check], facts: Facts) -> Iterator[dg.AssetCheckResult]:
    """One result a check. Raises `UnknownFact` where the facts cannot be read."""
    for check in checks:
        probe = BY_NAME[check.probe]
        yield check_result(check, probe, probe.run(facts))


def check_result(check: Check, probe: Probe, findings: Sequence[Finding]) -> dg.AssetCheckResult:
    """Passed when every finding is ok. Names the findings that are not."""
    bad = [finding for finding in findings if finding.state != "ok"]
    value = next((finding.value for finding in bad or findings if finding.value is not None), None)
    return dg.AssetCheckResult(
        check_name=check.name,
        passed=not bad,
        severity=dg.AssetCheckSeverity.ERROR if probe.severity == "critical" else dg.AssetCheckSeverity.WARN,
        description="; ".join(finding.text for finding in (bad or findings)[:SHOWN]) or "nothing to check",
        metadata={check.value: value} if check.value and value is not None else {},
    )


def snapshot_check_results(settings: Settings, warehouse: Warehouse) -> list[dg.AssetCheckResult]:
    """The checks of the snapshots, for the sensor that takes them without a run."""
    with Facts(settings, warehouse=warehouse) as facts:
        return list(check_results(CHECKS["divergence_snapshot"], facts))


def file_check_results(spec: CacheSpec, settings: Settings, warehouse: Warehouse) -> list[dg.AssetCheckResult]:
    """The checks of one file."""
    with Facts(settings, warehouse=warehouse, specs=(spec,)) as facts:
        return list(check_results(LIVE_CHECKS if spec.asset == "live_cache" else FILE_CHECKS, facts))


Evaluate = Callable[[Settings, Warehouse], Iterable[dg.AssetCheckResult]]


def _definition(asset: str, checks: Sequence[Check], evaluate: Evaluate) -> dg.AssetChecksDefinition:
    """The checks of one asset as one step: they share facts."""

    @dg.multi_asset_check(
        name=f"{asset}_checks",
        specs=[dg.AssetCheckSpec(check.name, asset=asset, description=check.description) for check in checks],
    )
    def definition(
        settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.AssetCheckResult]:
        yield from evaluate(settings, warehouse)

    return definition


def _of_asset(asset: str) -> dg.AssetChecksDefinition:
    def evaluate(settings: Settings, warehouse: Warehouse) -> Iterable[dg.AssetCheckResult]:
        with Facts(settings, warehouse=warehouse) as facts:
            yield from check_results(CHECKS[asset], facts)

    return _definition(asset, CHECKS[asset], evaluate)


def _of_file(spec: CacheSpec) -> dg.AssetChecksDefinition:
    checks = LIVE_CHECKS if spec.asset == "live_cache" else FILE_CHECKS
    return _definition(spec.asset, checks, lambda settings, warehouse: file_check_results(spec, settings, warehouse))


asset_checks = [*(_of_file(spec) for spec in CACHES), *(_of_asset(asset) for asset in CHECKS)]
"""Every asset check that renders a probe."""
