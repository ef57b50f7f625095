"""The asset of `divergence_data.db`, its job and its schedule."""

import dagster as dg

from polypipe.divergence.assets import SNAPSHOT
from polypipe.errors import PolypipeError
from polypipe.legacy.export import export
from polypipe.limits import EXPORT_AGE
from polypipe.orchestration.asset_defaults import EXPORT, OWNERS
from polypipe.orchestration.metadata import simulated
from polypipe.orchestration.scheduling import asset_job, regular_schedule
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

CRON = "8-59/10 * * * *"  # not with the crawl or the positions: each run pays for its imports


@dg.asset(
    deps=[SNAPSHOT],
    group_name=EXPORT,
    kinds={"python", "sqlite"},
    owners=OWNERS,
    description=(
        "`divergence_data.db` in the bot's directory: the snapshots as SQLite, with the table, columns and index of the "
        "tool that polypipe replaces, for programs that read that file. Every 10 minutes; the file is replaced in one "
        "step, so that readers that have it open are not disturbed."
    ),
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=EXPORT_AGE),
)
def divergence_db(settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Bring the file up to date with the published snapshots."""
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


export_job = asset_job("divergence_export", ["divergence_db"], "Write divergence_data.db.", max_runtime=600)

assets = [divergence_db]
jobs = [export_job]
schedules = [regular_schedule(export_job, CRON, "Writes divergence_data.db, every 10 minutes.", needs_wallets=True)]
