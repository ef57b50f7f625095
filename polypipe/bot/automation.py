"""When the bot's logs are read: a sensor that looks at their size and inode."""

import time

import dagster as dg

from polypipe.bot.assets import BOT_TRADE_LOG, absent, has_log, unread
from polypipe.bot.logs import LOGS
from polypipe.orchestration.scheduling import asset_job, is_unfinished
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

EVERY_SECONDS = 60
RETRY_SECONDS = 600
"""A run that failed is asked for again after so long, or at once when the file has changed."""

trade_log_job = asset_job(
    "trade_log_read", [BOT_TRADE_LOG.to_user_string()], "Read what is new in the bot's logs.", max_runtime=3600
)

jobs = [trade_log_job]


@dg.sensor(
    name="trade_log_sensor",
    job=trade_log_job,
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Has the bot's logs read when one of them changed: grew, was rotated, was cut. At most one run at a time, and none "
        "while nothing changes."
    ),
)
def trade_log_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> dg.RunRequest | dg.SkipReason:
    """Compare size and inode of the files with those that were last read."""
    if not has_log(settings):
        return dg.SkipReason(absent(settings))
    if is_unfinished(context.instance, trade_log_job.name):
        return dg.SkipReason(f"the last run of {trade_log_job.name} is unfinished")
    changed = [state for log in LOGS if (state := unread(warehouse, settings, log)) is not None]
    if not changed:
        return dg.SkipReason("no log has changed since it was read")
    return dg.RunRequest(run_key=f"{' '.join(changed)} {int(time.time() // RETRY_SECONDS)}")


sensors = [trade_log_sensor]
