"""The job that reads the bot's logs, and the sensor that starts it when one of them changed."""

import time

import dagster as dg

from polypipe.bot.assets import BOT_TRADE_LOG, absent, has_log, unread
from polypipe.bot.logs import LOGS
from polypipe.limits import LOG_CONFIRMED
from polypipe.orchestration.scheduling import asset_job, is_unfinished
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

EVERY_SECONDS = 60
RETRY_SECONDS = 600
"""A failed run is requested again after this time, or at once if the file changed."""

trade_log_job = asset_job(
    "trade_log_read", [BOT_TRADE_LOG.to_user_string()], "Read the new lines of the bot's logs.", max_runtime=3600
)

jobs = [trade_log_job]


@dg.sensor(
    name="trade_log_sensor",
    job=trade_log_job,
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Starts a run when one of the bot's logs grew, was rotated or was truncated. At most one run at a time, and while "
        "the logs do not change one every 6 hours."
    ),
)
def trade_log_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> dg.RunRequest | dg.SkipReason:
    """Compare each file's size and inode with those stored when it was last read."""
    if not has_log(settings):
        return dg.SkipReason(absent(settings))
    if is_unfinished(context.instance, trade_log_job.name):
        return dg.SkipReason(f"the last run of {trade_log_job.name} is unfinished")
    changed = [state for log in LOGS if (state := unread(warehouse, settings, log)) is not None]
    if not changed:
        last = context.instance.get_latest_materialization_event(BOT_TRADE_LOG)
        if last is None or time.time() - last.timestamp < LOG_CONFIRMED.total_seconds():
            return dg.SkipReason("no log has changed since it was read")
        changed = [f"unchanged since {last.run_id}"]
    return dg.RunRequest(run_key=f"{' '.join(changed)} {int(time.time() // RETRY_SECONDS)}")


sensors = [trade_log_sensor]
