"""The guard before a file is replaced: refuses contents that shrank too much. Pure functions.

The bot does not validate its files and `{}` wipes its map. A file that shrank is more likely a fault than an off-season.
"""

from collections.abc import Sequence
from dataclasses import dataclass

AGREEING_CRAWLS = 3
"""Number of consecutive complete crawls that must agree before a shrunken file is accepted."""


@dataclass(frozen=True)
class Refusal:
    """A publication that was refused for shrinking: its crawl and its number of entries."""

    crawl_id: str
    entries: int


def shrinks_too_much(entries: int, last_accepted: int | None) -> bool:
    """True if a file would be empty, or have less than half of the entries of the last accepted one.

    `last_accepted` is its number of entries, None if there was none.
    """
    return entries == 0 or (last_accepted is not None and 2 * entries < last_accepted)


def shrink_refusal(entries: int, last_accepted: int | None, crawl_id: str, refused_since: Sequence[Refusal]) -> str | None:
    """The reason to refuse this content, in one sentence; None if it may be published.

    `refused_since` are the publications refused for shrinking since the last accepted one, oldest first. A shrunken
    content is accepted once the last crawls, this one included, agree: counts within 10 % (or 10 entries).
    """
    if not shrinks_too_much(entries, last_accepted):
        return None
    by_crawl = {refusal.crawl_id: refusal.entries for refusal in refused_since if refusal.crawl_id != crawl_id}
    counts = [*by_crawl.values(), entries][-AGREEING_CRAWLS:]
    agreeing = _length_of_agreement(counts)
    if agreeing >= AGREEING_CRAWLS:
        return None
    what = "would be empty" if entries == 0 else f"would fall from {last_accepted} entries to {entries}"
    return (
        f"the file {what}; it is accepted once {AGREEING_CRAWLS} complete crawls in a row agree "
        f"(this is number {agreeing}), or at once with allow_shrink"
    )


def _length_of_agreement(counts: Sequence[int]) -> int:
    """Number of counts at the end, the last included, that agree with the last one."""
    last = counts[-1]
    length = 0
    for count in reversed(counts):
        if abs(count - last) > max(10, last / 10):
            break
        length += 1
    return length
