"""Facts of health from the tables that the dashboard holds in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property

from polypipe.dashboard.context import Context
from polypipe.health.facts import Facts
from polypipe.health.records import FileState, NewestSnapshot
from polypipe.health.tables import snapshot_of

REFUSED_WITHOUT_REASON = "no reason given"


class MemoryFacts(Facts):
    """Facts of the version that the dashboard shows. Has what the subjects of `FRESHNESS` need, and opens no table."""

    def __init__(self, context: Context, now: datetime) -> None:
        super().__init__(context.settings, now)
        self._view = context.view

    @cached_property
    def files(self) -> Sequence[FileState]:
        """The files of the bot."""
        rows = self._view.values(
            "SELECT file, max(time) FILTER (accepted), arg_max(accepted, time), arg_max(reason, time), "
            "arg_max(entries, time) FILTER (accepted) FROM publications GROUP BY file"
        )
        found = {file: rest for file, *rest in rows}
        states = []
        for spec in self.specs:
            accepted_at, accepted, reason, entries = found.get(spec.file, (None, True, None, None))
            refused = None if accepted else reason or REFUSED_WITHOUT_REASON
            states.append(FileState(spec.file, spec.fresh_within, accepted_at, refused, entries))
        return states

    @cached_property
    def snapshot(self) -> NewestSnapshot | None:
        """The newest snapshot of the pair."""
        if self.wallets is None:
            return None
        rows = self._view.values(
            "SELECT timestamp, sources, reasons, user1_pnl, user1_value FROM newest_snapshot "
            "ORDER BY timestamp DESC LIMIT 1"
        )
        return snapshot_of(*rows[0]) if rows else None

    @cached_property
    def compared_at(self) -> datetime | None:
        """Time of the newest comparison of positions."""
        ((newest,),) = self._view.values("SELECT max(compared_at) FROM newest_summary")
        return None if newest is None else newest.astimezone(UTC)

    @cached_property
    def published_at(self) -> datetime | None:
        """When the version that is shown was published."""
        return self._view.status.published_at
