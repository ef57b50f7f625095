"""The Dagster assets of divergence: snapshots, positions, and the database in the old tool's format. Thin: the work is
in plain modules."""

from datetime import timedelta

import dagster as dg

from polypipe.divergence.metadata import positions_metadata, snapshot_metadata
from polypipe.divergence.position_refresh import refresh_positions
from polypipe.divergence.snapshot import Snapshot, take_snapshot
from polypipe.errors import PolypipeError
from polypipe.legacy.export import export
from polypipe.orchestration.assets import EXPORT, OWNERS, PYTHON_TABLE, WALLETS, WRITER_POOL, wallets_or_fail
from polypipe.orchestration.metadata import simulated
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PolymarketError
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

SNAPSHOT = dg.AssetKey("divergence_snapshot")
SNAPSHOT_FRESH = timedelta(minutes=5)
POSITIONS_FRESH = timedelta(minutes=20)
EXPORT_FRESH = timedelta(minutes=45)


@dg.asset(
    key=SNAPSHOT,
    group_name=WALLETS,
    kinds=PYTHON_TABLE,
    owners=OWNERS,
    pool=WRITER_POOL,
    description=(
        "How far the copier is from ratio x whale: value, 24 h PnL, rank and volume of both wallets, gap, efficiency or "
        "loss share; one row of the table snapshots each minute, an unknown number null with its reason. Read by the "
        "dashboard, `polypipe sql` and divergence_data.db. A sensor writes it without starting runs, and reports nothing "
        "while no source of either wallet answers, so that after 5 minutes of that this asset is stale."
    ),
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=SNAPSHOT_FRESH),
)
def divergence_snapshot(
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    polymarket: dg.ResourceParam[Polymarket],
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Take one snapshot now, as the sensor does every minute."""
    snapshot = take_snapshot(polymarket, warehouse, wallets_or_fail(settings))
    if snapshot.nothing:
        raise dg.Failure(description=silence(snapshot), allow_retries=False)
    return dg.MaterializeResult(metadata=snapshot_metadata(snapshot, settings, warehouse))


def silence(snapshot: Snapshot) -> str:
    """What to say when no source of either wallet answered."""
    return f"no source of either wallet answered; the row says so. First: {next(iter(snapshot.reasons.values()))}"


@dg.asset(
    group_name=WALLETS,
    kinds=PYTHON_TABLE,
    owners=OWNERS,
    pool=WRITER_POOL,
    description=(
        "Every position of the copier against ratio x the whale's, token by token: on target, under, over, missed, below "
        "the bot's minimum, orphan (the whale is out, the copier still holds), manual; decided markets apart. Tables "
        "positions (latest) and position_summaries (history), read by the dashboard and `polypipe sql`; every 5 minutes, "
        "both wallets read to the end or nothing stored."
    ),
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=POSITIONS_FRESH),
)
def positions(
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    polymarket: dg.ResourceParam[Polymarket],
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Read both wallets, compare, store."""
    wallets = wallets_or_fail(settings)
    try:
        comparison = refresh_positions(polymarket, warehouse, wallets)
    except PolymarketError as error:
        raise dg.Failure(description=f"the last comparison stays: {error}", allow_retries=False) from error
    return dg.MaterializeResult(metadata=positions_metadata(comparison, settings, warehouse))


@dg.asset(
    deps=[SNAPSHOT],
    group_name=EXPORT,
    kinds={"python", "sqlite"},
    owners=OWNERS,
    description=(
        "`divergence_data.db` in the bot's directory: the snapshots as SQLite, with the table, columns and index of the "
        "tool that polypipe replaces, for whatever reads that file. Every 10 minutes; replaced in one step, so that "
        "readers that have it open are not disturbed."
    ),
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=EXPORT_FRESH),
)
def divergence_db(settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Bring the file up to what is published."""
    path = settings.bot_dir / "divergence_data.db"
    try:
        exported = export(warehouse, path)
    except PolypipeError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": exported.rows,
            "dagster/uri": f"file://{path}",
            "path": dg.MetadataValue.path(str(path)),
            "days_written": exported.days_written,
            "rebuilt": exported.rebuilt or "no",
            "bytes": exported.bytes,
            **simulated(settings),
        }
    )


divergence_assets = [divergence_snapshot, positions, divergence_db]
