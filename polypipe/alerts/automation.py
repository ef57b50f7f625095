"""When alerts are evaluated: a sensor whose ticks do the work themselves: they are seen in the UI, and cost no run.

Every run of every job imports this module, so what a tick needs is imported by the tick.
"""

from collections import Counter
from typing import TYPE_CHECKING

import dagster as dg

from polypipe.alerts import SENSOR
from polypipe.orchestration.resources import Polymarket
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

if TYPE_CHECKING:
    from polypipe.alerts.tick import Tick


@dg.sensor(
    name=SENSOR,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Judges every alert condition, sends what is new and what is over to POLYPIPE_ALERT_URLS, then calls "
        "POLYPIPE_PING_URL: an outside service that hears nothing any more knows that polypipe, or the machine, is down. "
        "Rules: alerts.toml in the home, `polypipe alert list`."
    ),
)
def alerts(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    polymarket: dg.ResourceParam[Polymarket],
) -> dg.SkipReason:
    """One tick; it never asks for a run."""
    from polypipe.alerts.store import Locked
    from polypipe.alerts.tick import Place, run_tick

    assert context.repository_def is not None
    try:
        tick = run_tick(Place(settings, warehouse, polymarket, context.instance, context.repository_def))
    except Locked as locked:
        return dg.SkipReason(str(locked))
    for message in tick.judged.messages:
        context.log.info(f"to be sent: {message.title}\n{message.body}")
    for message in tick.judged.dry:
        context.log.info(f"dry run: {message.title}\n{message.body}")
    for sent in tick.sent:
        if not sent.outcome.ok:
            context.log.warning(f"{sent.channel}: {sent.outcome.reason}; tried again later: {sent.title}")
    if tick.ping_failed is not None:
        context.log.warning(f"the service at POLYPIPE_PING_URL was not reached: {tick.ping_failed}")
    return dg.SkipReason(summary(tick, settings))


def summary(tick: "Tick", settings: Settings) -> str:
    """The tick in one line, for the list of ticks."""
    judged = tick.judged
    firing = Counter(
        reading.condition
        for reading in judged.readings
        for observation in reading.observations
        if observation.seen == "firing"
    )
    unknown = sum(reading.unknown is not None for reading in judged.readings)
    parts = [
        f"firing: {', '.join(f'{name} ({count})' for name, count in firing.items()) or 'nothing'}",
        f"{unknown} of {len(judged.readings)} conditions unknown",
        f"{sum(sent.outcome.ok for sent in tick.sent)} messages sent, {tick.waiting} wait",
    ]
    if not settings.alert_urls:
        parts.append("no channels: set POLYPIPE_ALERT_URLS")
    if judged.rules.error:
        parts.append("alerts.toml is not in force")
    return "; ".join(parts)


sensors = [alerts]
