"""When alerts are evaluated: a sensor whose ticks do the work. They show in the UI and cost no run.

Every run of every job imports this module, so a tick imports its own dependencies.
"""

from collections import Counter
from typing import TYPE_CHECKING

import dagster as dg

from polypipe.alerts import SENSOR
from polypipe.health.finding import EVERY_KEY
from polypipe.orchestration.resources import Polymarket
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

if TYPE_CHECKING:
    from polypipe.alerts.tick import TickResult


@dg.sensor(
    name=SENSOR,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Evaluates every alert rule, sends new alerts and recoveries to POLYPIPE_ALERT_URLS, then calls POLYPIPE_PING_URL: "
        "an outside service that reports when the pings stop, because polypipe or the machine is down. Rules: alerts.toml "
        "in the home; `polypipe alert list` shows them."
    ),
)
def alerts(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    polymarket: dg.ResourceParam[Polymarket],
) -> dg.SkipReason:
    """One tick. It never requests a run."""
    from polypipe.alerts.dagster_failures import read_failures
    from polypipe.alerts.store import Locked
    from polypipe.alerts.tick import Sources, run_tick

    repository = context.repository_def
    assert repository is not None
    try:
        tick = run_tick(
            Sources(settings, warehouse, polymarket, lambda: read_failures(context.instance, repository, SENSOR))
        )
    except Locked as locked:
        return dg.SkipReason(str(locked))
    for message in tick.evaluation.messages:
        context.log.info(f"to send: {message.title}\n{message.body}")
    for message in tick.evaluation.dry:
        context.log.info(f"dry run: {message.title}\n{message.body}")
    for sent in tick.sent:
        if not sent.outcome.ok:
            context.log.warning(f"{sent.channel}: {sent.outcome.reason}; will be retried: {sent.title}")
    if tick.ping_failed is not None:
        context.log.warning(f"POLYPIPE_PING_URL could not be reached: {tick.ping_failed}")
    return dg.SkipReason(summary(tick, settings))


def summary(tick: "TickResult", settings: Settings) -> str:
    """The tick in one line, for the list of ticks."""
    evaluation = tick.evaluation
    firing = Counter(
        rule for rule, findings in evaluation.findings.items() for finding in findings if finding.state == "failing"
    )
    unknown = sum(any(finding.key == EVERY_KEY for finding in found) for found in evaluation.findings.values())
    parts = [
        f"firing: {', '.join(f'{name} ({count})' for name, count in firing.items()) or 'nothing'}",
        f"{unknown} of {len(evaluation.findings)} rules unknown",
        f"{sum(sent.outcome.ok for sent in tick.sent)} messages sent, {tick.waiting} waiting",
    ]
    if not settings.alert_urls:
        parts.append("no alert channels configured; set POLYPIPE_ALERT_URLS")
    if evaluation.rules.error:
        parts.append("alerts.toml is invalid")
    return "; ".join(parts)


sensors = [alerts]
