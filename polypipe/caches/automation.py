"""Jobs and schedules of the market side, and a sensor that catches up after an outage."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from polypipe.caches.assets import SPORTS_EVENTS
from polypipe.caches.registry import CACHES
from polypipe.caches.spec import latest_universe
from polypipe.orchestration.scheduling import asset_job, regular_schedule, tried_lately
from polypipe.warehouse import Warehouse

CRAWL_CRON = "3-59/10 * * * *"  # odd minutes: the live job runs on the even ones
CATCH_UP_AGE = timedelta(minutes=20)
CATCH_UP_PAUSE = timedelta(minutes=1)

crawl_job = asset_job(
    "crawl",
    [SPORTS_EVENTS.to_user_string(), *(spec.asset for spec in CACHES if spec.cron is None)],
    "Crawl the universe, then publish every file that is built from it.",
    max_runtime=600,
    priority=5,
)

# A file with its own schedule has its own job.
own_jobs = {
    spec.asset: asset_job(f"{spec.asset}_refresh", [spec.asset], f"Publish {spec.file}.", max_runtime=420, priority=10)
    for spec in CACHES
    if spec.cron is not None
}

jobs = [crawl_job, *own_jobs.values()]


schedules = [
    regular_schedule(crawl_job, CRAWL_CRON, "The universe and the files that are built from it, every 10 minutes."),
    *(
        regular_schedule(own_jobs[spec.asset], spec.cron, f"{spec.file} on its own schedule.")
        for spec in CACHES
        if spec.cron is not None
    ),
]


@dg.sensor(
    name="catch_up",
    jobs=jobs,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Starts a job at once if its files are missing or stale: after the first start, after a night with the machine "
        "off, after an outage of the API. Starts the same job at most once a minute."
    ),
)
def catch_up(
    context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Request the crawl if the universe is stale, else the job of each stale file."""
    now = datetime.now(UTC)
    with warehouse.read() as con:
        universe = latest_universe(con)
        rows = con.execute("SELECT file, max(time) FROM publications WHERE accepted GROUP BY file").fetchall()
    accepted = dict(rows)
    stale = [
        spec
        for spec in CACHES
        if spec.file not in accepted or now - accepted[spec.file] > min(spec.fresh_within, CATCH_UP_AGE)
    ]
    if universe is None or universe.age > CATCH_UP_AGE or any(spec.cron is None for spec in stale):
        wanted = [crawl_job.name]  # files with their own jobs follow once there is a universe
    else:
        wanted = [own_jobs[spec.asset].name for spec in stale]
    requests = [name for name in wanted if not tried_lately(context.instance, name, CATCH_UP_PAUSE)]
    yield from (dg.RunRequest(job_name=name) for name in requests)
    if not requests:
        yield dg.SkipReason(f"waiting for {', '.join(wanted)}" if wanted else "every file is fresh enough")


sensors = [catch_up]
