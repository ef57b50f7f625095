"""`recovery.json`: the last time that the live file was lost or damaged, what came back, and what did not."""

from datetime import date, datetime, timedelta

import msgspec

from polypipe.files import replace_file
from polypipe.text import count, utc_text
from polypipe.warehouse.current import Current
from polypipe.warehouse.layout import Layout

REMEMBERED = timedelta(days=30)
"""How long lost rows are named and their days are requested again."""


class Lost(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rows of one published file that could be read nowhere.

    `first` and `last` are its UTC days, None for a state table. `rows` is what the file had. `kept`: rows of an older copy
    that took their place, as `source` says; 0 without one. `version`: the published version that named the file.
    """

    table: str
    rows: int
    reason: str
    lost_at: datetime
    first: date | None = None
    last: date | None = None
    kept: int = 0
    source: str = ""
    version: int = 0

    def replaced_in(self, current: Current | None) -> bool:
        """True if a writer has stored rows of the table, or of one of these days, since the rebuild was published."""
        files = current.tables[self.table].files if current is not None and self.table in current.tables else []
        return any(
            file.version > self.version + 1
            and (self.first is None or self.last is None or any(self.first <= day <= self.last for day in file.days()))
            for file in files
        )

    @property
    def where(self) -> str:
        """The table and its days, in words."""
        if self.first is None:
            return self.table
        until = f" to {self.last}" if self.last not in (None, self.first) else ""
        return f"{self.table} of {self.first}{until}"

    @property
    def text(self) -> str:
        """The table, its days and its rows, in words."""
        older = f" (the {self.kept:,} of {self.source} are kept)" if self.source else ""
        return f"{count(self.rows, 'row')} of {self.where}{older}"


class Recovery(msgspec.Struct, omit_defaults=True):
    """One incident. `healed_at` is None while the live file cannot be used, and `error` says why it was not rebuilt.

    `what` was lost or damaged. `version`: the published version that came back. `rows` by table, `sources`: how many files'
    rows came from where. `aside`: directory of the damaged files, relative to the home, "" if there were none.
    """

    found_at: datetime
    reason: str
    healed_at: datetime | None = None
    error: str = ""
    what: str = "polypipe.duckdb"
    version: int = 0
    rows: dict[str, int] = {}
    sources: dict[str, int] = {}
    lost: list[Lost] = []
    aside: str = ""

    @property
    def text(self) -> str:
        """One line: what happened, what came back, what is lost, and where the damaged files are."""
        if self.healed_at is None:
            return f"{self.what} cannot be used since {utc_text(self.found_at)}: {self.reason}"
        if not self.version and not self.aside:
            return f"{self.what} can be used again since {utc_text(self.healed_at)}; before: {self.reason}"
        now = [lost for lost in self.lost if lost.lost_at >= self.found_at]
        were = "were" if self.what.endswith("s") else "was"
        what = f"{self.what} {were} rebuilt at {utc_text(self.healed_at)}"
        gone = f"lost: {'; '.join(lost.text for lost in now)}" if now else "nothing is lost"
        if not self.version:
            gone = "nothing had been published"
        aside = f"; what was damaged is in {self.aside}" if self.aside else ""
        back = f"{count(sum(self.rows.values()), 'row')} in {count(len(self.rows), 'table')}"
        return f"{what}: {back} came back, {gone}{aside}; reason: {self.reason}"

    def lost_since(self, time: datetime) -> list[Lost]:
        """What was lost after `time`."""
        return [lost for lost in self.lost if lost.lost_at > time]


def read_recovery(layout: Layout) -> Recovery | None:
    """The last incident; None if there was none, or its record cannot be read."""
    try:
        return msgspec.json.decode(layout.recovery.read_bytes(), type=Recovery)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def write_recovery(layout: Layout, recovery: Recovery) -> None:
    """Replace the record. What earlier incidents lost stays in it for `REMEMBERED`."""
    before = read_recovery(layout)
    if before is not None:
        new = {(lost.table, lost.first) for lost in recovery.lost}
        old = before.lost_since(recovery.found_at - REMEMBERED)
        recovery.lost = recovery.lost + [lost for lost in old if (lost.table, lost.first) not in new]
    replace_file(layout.recovery, msgspec.json.encode(recovery))
