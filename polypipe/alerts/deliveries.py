"""The queue of letters: claimed, sent, and only then forgotten.

- Before a letter is sent it is marked as claimed, on disk. Killed before that, it is sent later; killed after the channel
  had it and before that was written down, it is sent once more, marked "possibly repeated", because nobody can know. So
  is one whose sending ended without an answer.
- Each channel gets its letters in order. A channel that fails is tried again later and later; the others go on.
- At most 20 sendings in any minute, failed ones too.
- A queue that grows too long is collapsed: its older letters become one that counts them and names the first ones.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from polypipe.alerts.messages import Message
from polypipe.alerts.store import Backoff, Book, Letter
from polypipe.text import bounded, duration, utc_text

PER_MINUTE = 20
MINUTE = timedelta(minutes=1)
LATE = timedelta(minutes=3)
"""A letter that waited so long says so."""

LONGEST_QUEUE = 40
KEPT = 20
NAMED = 10
"""A channel's queue of more than 40 letters keeps the newest 20; the others become one that names the first 10."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=15)


@dataclass(frozen=True)
class Outcome:
    """What came of a sending. `certain` is false when it may have arrived although no answer said so."""

    ok: bool
    reason: str = ""
    certain: bool = True


@dataclass(frozen=True)
class Sent:
    """One attempt, for the log."""

    channel: str
    title: str
    outcome: Outcome


Send = Callable[[str, Message], Outcome]
"""Sends a message through the channel of that name."""


def recover(book: Book, now: datetime) -> None:
    """What an earlier process left: letters that it had claimed, and times that the clock has not reached."""
    for letter in book.letters:
        if letter.claimed:
            letter.claimed, letter.perhaps_repeated = False, True
        letter.created_at = min(letter.created_at, now)
    for backoff in book.backoff.values():
        backoff.next_try = min(backoff.next_try, now + LONGEST_PAUSE)
    book.attempts = [at for at in book.attempts if at <= now]


def enqueue(book: Book, messages: Iterable[Message], channels: Sequence[str], now: datetime) -> None:
    """A letter of each message for each channel. Letters for channels that are not configured any more are dropped."""
    book.letters = [letter for letter in book.letters if letter.channel in channels]
    book.backoff = {channel: backoff for channel, backoff in book.backoff.items() if channel in channels}
    for message in messages:
        for channel in channels:
            book.letters.append(
                Letter(
                    channel=channel, created_at=now, severity=message.severity, title=message.title, body=message.body
                )
            )  # fmt: skip
    for channel in channels:
        _collapse(book, channel)


def deliver(
    book: Book, send: Send, save: Callable[[], None], clock: Callable[[], datetime], time_left: Callable[[], bool]
) -> list[Sent]:
    """Send what is due, until nothing is or the time is up. `save` makes the book durable; what it raises ends this."""
    done: list[Sent] = []
    while time_left():
        now = clock()
        letter = due(book, now)
        if letter is None:
            break
        letter.claimed = True
        letter.attempts += 1
        book.attempts = [at for at in book.attempts if now - at < MINUTE] + [now]
        save()
        outcome = send(letter.channel, rendered(letter, now))
        now = clock()
        if outcome.ok:
            book.letters = [other for other in book.letters if other is not letter]
            book.backoff.pop(letter.channel, None)
        else:
            letter.claimed = False
            letter.perhaps_repeated |= not outcome.certain
            failures = book.backoff[letter.channel].failures + 1 if letter.channel in book.backoff else 1
            book.backoff[letter.channel] = Backoff(
                failures=failures, reason=outcome.reason, next_try=now + pause_after(failures)
            )
        save()
        done.append(Sent(letter.channel, letter.title, outcome))
    return done


def due(book: Book, now: datetime) -> Letter | None:
    """The letter to be sent now: the oldest of a channel that may be tried, healthy channels first. None: none."""
    if sum(now - at < MINUTE for at in book.attempts) >= PER_MINUTE:
        return None
    heads: dict[str, Letter] = {}
    for letter in book.letters:
        heads.setdefault(letter.channel, letter)
    backoff = book.backoff
    ready = [letter for name, letter in heads.items() if name not in backoff or backoff[name].next_try <= now]
    failures = {name: backoff[name].failures if name in backoff else 0 for name in heads}
    return min(ready, key=lambda letter: (failures[letter.channel], letter.created_at), default=None)


def failing_channels(book: Book) -> list[str]:
    """Each channel that is down, in words: how often it failed, why, and what waits for it."""
    waiting = Counter(letter.channel for letter in book.letters)
    return [
        f"{name} failed {backoff.failures} times in a row: {backoff.reason}; messages that wait: {waiting[name]}"
        for name, backoff in book.backoff.items()
    ]


def pause_after(failures: int) -> timedelta:
    """How long a channel rests after so many failures in a row."""
    return min(FIRST_PAUSE * (1 << min(failures - 1, 10)), LONGEST_PAUSE)


def rendered(letter: Letter, now: datetime) -> Message:
    """The message as it is sent now, with what must be said about its way."""
    notes = []
    if now - letter.created_at >= LATE:
        notes.append(f"{duration(now - letter.created_at)} late: raised {utc_text(letter.created_at)}")
    if letter.perhaps_repeated:
        notes.append("possibly repeated: it is not known whether an earlier sending arrived")
    return Message(letter.severity, letter.title, "\n".join([*notes, letter.body]))


def _collapse(book: Book, channel: str) -> None:
    """Join the oldest letters of a queue that is too long. One that may have been sent stays itself."""
    queue = [letter for letter in book.letters if letter.channel == channel]
    if len(queue) <= LONGEST_QUEUE:
        return
    old = [letter for letter in queue[:-KEPT] if not letter.perhaps_repeated]
    count = sum(letter.merged for letter in old)
    lines: list[str] = []
    for letter in old:
        lines += letter.body.splitlines()[:NAMED] if letter.merged > 1 else [f"{letter.created_at:%H:%M} {letter.title}"]
    lines = [bounded(line) for line in lines][:NAMED]
    joined = Letter(
        channel=channel,
        created_at=old[0].created_at,
        severity="critical" if any(letter.severity == "critical" for letter in old) else "warning",
        title=f"{count} messages joined: this channel could not be reached",
        body="\n".join([*lines, f"and {count - len(lines)} more; what still holds: polypipe alert list"]),
        merged=count,
    )
    gone = {id(letter) for letter in old}
    first = next(n for n, letter in enumerate(book.letters) if letter is old[0])
    book.letters = [
        *(letter for letter in book.letters[:first] if id(letter) not in gone),
        joined,
        *(letter for letter in book.letters[first:] if id(letter) not in gone),
    ]
