"""The partitions of history: UTC days, each there once it is over."""

import dagster as dg

from polypipe.settings import Settings


def daily(settings: Settings) -> dg.DailyPartitionsDefinition:
    """From POLYPIPE_HISTORY_START to yesterday."""
    return dg.DailyPartitionsDefinition(start_date=settings.history_start.isoformat(), timezone="UTC")
