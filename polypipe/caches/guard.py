"""The guard before a file is replaced: pure rules over what was last accepted and what was refused since.

The bot never validates and `{}` wipes its map, so a file that shrank is more likely our fault than an off-season.
"""

from collections.abc import Sequence
from dataclasses import dataclass

AGREEING_CRAWLS = 3
"""So many complete crawls in a row must agree on a shrunken file before it is believed."""


@dataclass(frozen=True)
class Attempt:
    """A content that was refused for shrinking: the crawl behind it and how many entries it had."""

    crawl_id: str
    entries: int


def shrinks_too_much(entries: int, last_accepted: int | None) -> bool:
    """True if a file would be empty, or lose more than half of the entries of the last accepted one.

    `last_accepted` is None when nothing was ever accepted.
    """
    return entries == 0 or (last_accepted is not None and 2 * entries < last_accepted)


def shrink_refusal(entries: int, last_accepted: int | None, crawl_id: str, refused_since: Sequence[Attempt]) -> str | None:
    """Why this content is refused, in one sentence; None when it may be published.

    `refused_since` are the attempts refused for shrinking since the last accepted one, oldest first. It is accepted
    all the same when the last crawls in a row, this one included, agree: counts within 10 % (or 10 entries).
    """
    if not shrinks_too_much(entries, last_accepted):
        return None
    by_crawl = {attempt.crawl_id: attempt.entries for attempt in refused_since if attempt.crawl_id != crawl_id}
    counts = [*by_crawl.values(), entries][-AGREEING_CRAWLS:]
    agreeing = _length_of_agreement(counts)
    if agreeing >= AGREEING_CRAWLS:
        return None
    what = "would be empty" if entries == 0 else f"would fall from {last_accepted} entries to {entries}"
    return (
        f"the file {what}; it is believed after {AGREEING_CRAWLS} complete crawls in a row that agree "
        f"(this is number {agreeing}), or at once with allow_shrink"
    )


def _length_of_agreement(counts: Sequence[int]) -> int:
    """How many of the last counts agree with the very last one."""
    last = counts[-1]
    length = 0
    for count in reversed(counts):
        if abs(count - last) > max(10, last / 10):
            break
        length += 1
    return length
