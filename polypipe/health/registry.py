"""Every probe, by subject. What decides whether something is healthy is in this list and nowhere else."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from polypipe.health.alerting import ALERTING
from polypipe.health.announcements import ANNOUNCEMENTS
from polypipe.health.bot_files import BOT_FILES
from polypipe.health.copying import COPYING
from polypipe.health.facts import Facts, UnknownFact
from polypipe.health.files import FILES
from polypipe.health.finding import Finding, Probe, unknown
from polypipe.health.history import HISTORY
from polypipe.health.pipeline import PIPELINE
from polypipe.health.positions import POSITIONS
from polypipe.health.processes import PROCESSES
from polypipe.health.quality import QUALITY
from polypipe.health.snapshots import SNAPSHOTS
from polypipe.health.storage import STORAGE
from polypipe.health.unproven_days import UNPROVEN_DAYS

PROBES: tuple[Probe, ...] = (
    *PIPELINE, *FILES, *SNAPSHOTS, *POSITIONS, *COPYING, *QUALITY, *HISTORY, *BOT_FILES, *STORAGE, *PROCESSES, *ALERTING,
    *UNPROVEN_DAYS, *ANNOUNCEMENTS,
)  # fmt: skip

BY_NAME = {probe.name: probe for probe in PROBES}

ALERTED = tuple(probe for probe in PROBES if probe.rule)
"""Probes whose findings are sent."""

FRESHNESS = ("files", "snapshots", "positions", "publishing", "database")
"""Subjects that `/healthz` and `polypipe status` both show: stale or lost data, whatever the cause."""

STATUS = ("processes", *FRESHNESS, "spool", "disk", "unproven days", "announcements")


def of_subjects(*subjects: str) -> list[Probe]:
    """The probes of these subjects, in the order of the subjects."""
    return [probe for subject in subjects for probe in PROBES if probe.subject == subject]


def findings(probes: Iterable[Probe], facts: Facts) -> Iterator[Finding]:
    """All findings. A part of the home that cannot be read makes one unknown finding, and the other probes go on."""
    seen: set[str] = set()
    for probe in probes:
        try:
            yield from probe.run(facts)
        except UnknownFact as error:
            if error.message not in seen:
                seen.add(error.message)
                yield replace(unknown(error.message), probe=probe.name)


def failing(found: Iterable[Finding]) -> list[str]:
    """The sentences of the failing findings, notices left out."""
    return [one.text for one in found if one.state == "failing" and not _is_notice(one)]


def notices(found: Iterable[Finding]) -> list[str]:
    """The sentences of the failing findings of severity info."""
    return [one.text for one in found if one.state == "failing" and _is_notice(one)]


def _is_notice(finding: Finding) -> bool:
    return finding.probe in BY_NAME and BY_NAME[finding.probe].severity == "info"
