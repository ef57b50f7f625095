"""At-least-once delivery queue: claim, send, then delete.

- A delivery is marked as claimed, on disk, before it is sent. After a kill before that it is sent later; after a kill
  between send and delete it is sent once more, marked "possibly repeated". So is one that was sent without an answer.
- Each channel gets its deliveries in order. A failing channel is retried with growing pauses; the others go on.
- At most 20 sends a minute, failures included.
- A queue that grows too long is collapsed: its older deliveries become one that counts them and names the first ones.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from polypipe.alerts.messages import Message
from polypipe.alerts.store import AlertState, Backoff, Delivery
from polypipe.text import bounded, count, duration, utc_text

PER_MINUTE = 20
MINUTE = timedelta(minutes=1)
LATE = timedelta(minutes=3)
"""A delivery that waited longer says so."""

LONGEST_QUEUE = 40
KEPT = 20
NAMED = 10
"""A channel's queue of more than 40 deliveries keeps the newest 20; the others become one that names the first 10."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=15)


@dataclass(frozen=True)
class Outcome:
    """The result of a send. `certain` is false when the message may have arrived although no answer said so."""

    ok: bool
    reason: str = ""
    certain: bool = True


@dataclass(frozen=True)
class Sent:
    """One send, for the log."""

    channel: str
    title: str
    outcome: Outcome


Send = Callable[[str, Message], Outcome]
"""Sends a message through the channel of a name."""


def recover(state: AlertState, now: datetime) -> None:
    """Repair the state that an earlier process left: claimed deliveries, and times in the future."""
    for delivery in state.deliveries:
        if delivery.claimed:
            delivery.claimed, delivery.perhaps_repeated = False, True
        delivery.created_at = min(delivery.created_at, now)
    for backoff in state.backoff.values():
        backoff.next_try = min(backoff.next_try, now + LONGEST_PAUSE)
    state.attempts = [at for at in state.attempts if at <= now]


def enqueue(state: AlertState, messages: Iterable[Message], channels: Sequence[str], now: datetime) -> None:
    """Add a delivery of each message for each channel. Deliveries for channels no longer configured are dropped."""
    state.deliveries = [delivery for delivery in state.deliveries if delivery.channel in channels]
    state.backoff = {channel: backoff for channel, backoff in state.backoff.items() if channel in channels}
    for message in messages:
        for channel in channels:
            state.deliveries.append(
                Delivery(
                    channel=channel, created_at=now, severity=message.severity, title=message.title, body=message.body
                )
            )  # fmt: skip
    for channel in channels:
        _collapse(state, channel)


def deliver(
    state: AlertState, send: Send, save: Callable[[], None], clock: Callable[[], datetime], time_left: Callable[[], bool]
) -> list[Sent]:
    """Send due deliveries until none is due or the time is up. `save` stores the state; its errors are not caught."""
    done: list[Sent] = []
    while time_left():
        now = clock()
        delivery = due(state, now)
        if delivery is None:
            break
        delivery.claimed = True
        delivery.attempts += 1
        state.attempts = [at for at in state.attempts if now - at < MINUTE] + [now]
        save()
        outcome = send(delivery.channel, rendered(delivery, now))
        now = clock()
        if outcome.ok:
            state.deliveries = [other for other in state.deliveries if other is not delivery]
            state.backoff.pop(delivery.channel, None)
        else:
            delivery.claimed = False
            delivery.perhaps_repeated |= not outcome.certain
            failures = state.backoff[delivery.channel].failures + 1 if delivery.channel in state.backoff else 1
            state.backoff[delivery.channel] = Backoff(
                failures=failures, reason=outcome.reason, next_try=now + pause_after(failures)
            )
        save()
        done.append(Sent(delivery.channel, delivery.title, outcome))
    return done


def due(state: AlertState, now: datetime) -> Delivery | None:
    """The delivery to send now, or None: the oldest of a channel that may be tried, healthy channels first."""
    if sum(now - at < MINUTE for at in state.attempts) >= PER_MINUTE:
        return None
    heads: dict[str, Delivery] = {}
    for delivery in state.deliveries:
        heads.setdefault(delivery.channel, delivery)
    backoff = state.backoff
    ready = [delivery for name, delivery in heads.items() if name not in backoff or backoff[name].next_try <= now]
    failures = {name: backoff[name].failures if name in backoff else 0 for name in heads}
    return min(ready, key=lambda delivery: (failures[delivery.channel], delivery.created_at), default=None)


def failing_channels(state: AlertState) -> list[str]:
    """Each failing channel in words: failures in a row, the reason, and how many messages wait for it."""
    waiting = Counter(delivery.channel for delivery in state.deliveries)
    return [
        f"{name} failed {count(backoff.failures, 'time')} in a row: {backoff.reason}; messages waiting: {waiting[name]}"
        for name, backoff in state.backoff.items()
    ]


def pause_after(failures: int) -> timedelta:
    """Pause of a channel after `failures` in a row."""
    return min(FIRST_PAUSE * (1 << min(failures - 1, 10)), LONGEST_PAUSE)


def rendered(delivery: Delivery, now: datetime) -> Message:
    """The message as it is sent now, with a note if it is late or possibly repeated."""
    notes = []
    if now - delivery.created_at >= LATE:
        notes.append(f"{duration(now - delivery.created_at)} late: raised {utc_text(delivery.created_at)}")
    if delivery.perhaps_repeated:
        notes.append("possibly repeated: an earlier send may have arrived")
    return Message(delivery.severity, delivery.title, "\n".join([*notes, delivery.body]))


def _collapse(state: AlertState, channel: str) -> None:
    """Merge the oldest deliveries of a queue that is too long. Deliveries with an unknown outcome are not merged."""
    queue = [delivery for delivery in state.deliveries if delivery.channel == channel]
    if len(queue) <= LONGEST_QUEUE:
        return
    old = [delivery for delivery in queue[:-KEPT] if not delivery.perhaps_repeated]
    together = sum(delivery.merged for delivery in old)
    lines: list[str] = []
    for delivery in old:
        lines += (
            delivery.body.splitlines()[:NAMED] if delivery.merged > 1 else [f"{delivery.created_at:%H:%M} {delivery.title}"]
        )
    lines = [bounded(line) for line in lines][:NAMED]
    joined = Delivery(
        channel=channel,
        created_at=old[0].created_at,
        severity="critical" if any(delivery.severity == "critical" for delivery in old) else "warning",
        title=f"{together} messages merged: this channel could not be reached",
        body="\n".join([*lines, f"and {together - len(lines)} more; alerts in force: polypipe alert list"]),
        merged=together,
    )
    gone = {id(delivery) for delivery in old}
    first = next(n for n, delivery in enumerate(state.deliveries) if delivery is old[0])
    state.deliveries = [
        *(delivery for delivery in state.deliveries[:first] if id(delivery) not in gone),
        joined,
        *(delivery for delivery in state.deliveries[first:] if id(delivery) not in gone),
    ]
