"""The assets of the gap: snapshots of both wallets, and their positions compared."""

import dagster as dg

from polypipe.divergence.metadata import positions_metadata, snapshot_metadata
from polypipe.divergence.position_refresh import refresh_positions
from polypipe.divergence.snapshot import Snapshot, take_snapshot
from polypipe.errors import PolypipeError
from polypipe.limits import POSITIONS_AGE, Limits, limits
from polypipe.orchestration.asset_defaults import OWNERS, PYTHON_TABLE, WALLETS, WRITER_POOL
from polypipe.orchestration.failures import wallets_or_fail
from polypipe.orchestration.resources import Polymarket
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

SNAPSHOT = dg.AssetKey("divergence_snapshot")


@dg.asset(
    key=SNAPSHOT,
    group_name=WALLETS,
    kinds=PYTHON_TABLE,
    owners=OWNERS,
    pool=WRITER_POOL,
    description=(
        "Both wallets at one instant: value, 24 h PnL, rank and volume, the gap, efficiency or loss share. One row of the "
        "table snapshots each minute; an unknown number is null with its reason. Read by the dashboard, `polypipe sql` and "
        "divergence_data.db. A sensor writes the rows without starting runs. It reports nothing while no source of either "
        "wallet answers, which makes this asset stale after three intervals, at least 5 minutes."
    ),
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=Limits().snapshot),
)
def divergence_snapshot(
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    polymarket: dg.ResourceParam[Polymarket],
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Take one snapshot now, as the sensor does every minute."""
    snapshot = take_snapshot(polymarket, warehouse, wallets_or_fail(settings))
    if snapshot.no_answer:
        raise dg.Failure(description=outage(snapshot), allow_retries=False)
    return dg.MaterializeResult(metadata=snapshot_metadata(snapshot, settings, warehouse))


def outage(snapshot: Snapshot) -> str:
    """Message for a snapshot for which no source of either wallet answered."""
    return f"no source of either wallet answered; the row is stored. First error: {next(iter(snapshot.reasons.values()))}"


@dg.asset(
    group_name=WALLETS,
    kinds=PYTHON_TABLE,
    owners=OWNERS,
    pool=WRITER_POOL,
    description=(
        "Every position of the copier against ratio x the whale's, by token: on target, under, over, missed, below the "
        "bot's minimum, orphan (the whale is out, the copier still holds), manual, converted (equal shares of the event), "
        "moved (the whale's shares left without a trade), unknown; decided markets apart. Tables positions (latest) and "
        "position_summaries (history), read by the dashboard and `polypipe sql`. Every 5 minutes; nothing is stored unless "
        "both wallets are read completely. The history of what only the copier holds is traced step by step."
    ),
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=POSITIONS_AGE),
)
def positions(
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    polymarket: dg.ResourceParam[Polymarket],
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Read both wallets, compare and store."""
    try:
        stored = refresh_positions(polymarket, warehouse, wallets_or_fail(settings))
    except PolypipeError as error:
        raise dg.Failure(description=f"the last comparison stays: {error}", allow_retries=False) from error
    return dg.MaterializeResult(metadata=positions_metadata(stored, settings, warehouse))


divergence_assets = [divergence_snapshot, positions]


def with_freshness(settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets, with the freshness limit of the snapshots that their interval in the settings implies."""
    policy = dg.FreshnessPolicy.time_window(fail_window=limits(settings).snapshot)
    snapshot = divergence_snapshot.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=policy))
    return [snapshot, *(asset for asset in divergence_assets if asset is not divergence_snapshot)]
