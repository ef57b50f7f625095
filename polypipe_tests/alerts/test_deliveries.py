"""The delivery queue: order, rate, backoff, lateness, collapse, and a kill at any moment."""

import contextlib
import copy
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polypipe.alerts.deliveries import (
    KEPT,
    LONGEST_PAUSE,
    LONGEST_QUEUE,
    NAMED,
    PER_MINUTE,
    Outcome,
    deliver,
    enqueue,
    pause_after,
    recover,
)
from polypipe.alerts.messages import Message
from polypipe.alerts.store import AlertState, read_state, save_state, set_aside
from polypipe_tests.alerts.support import MINUTE, NOW, inbox

OK, DOWN = Outcome(True), Outcome(False, "no connection")


def message(text, severity="warning"):
    return Message(severity, text, f"body of {text}")


class Post:
    """Channels with a fake clock: `down` ones fail, `lost` ones fail after the message arrived."""

    def __init__(self, *channels):
        self.channels = channels
        self.now = NOW
        self.state = AlertState(watching_since=NOW)
        self.arrived: dict[str, list[Message]] = {name: [] for name in channels}
        self.tries: list[tuple] = []
        self.down: set[str] = set()
        self.lost: set[str] = set()
        self.saved: list[AlertState] = []

    def send(self, name, delivery):
        self.tries.append((self.now, name))
        self.now += timedelta(seconds=0.1)
        if name in self.down:
            return DOWN
        self.arrived[name].append(delivery)
        return Outcome(False, "no answer", certain=False) if name in self.lost else OK

    def tick(self, *texts):
        enqueue(self.state, [message(text) for text in texts], self.channels, self.now)
        deliver(self.state, self.send, lambda: self.saved.append(copy.deepcopy(self.state)), lambda: self.now, lambda: True)
        self.now += MINUTE

    def titles(self, name):
        return [delivery.title for delivery in self.arrived[name]]


def test_each_channel_gets_each_message_once_in_order():
    post = Post("a", "b")
    post.tick("1", "2")
    post.tick("3")
    assert post.titles("a") == post.titles("b") == ["1", "2", "3"]
    assert post.state.deliveries == []


def test_delivery_is_claimed_on_disk_before_it_is_sent():
    post = Post("a")
    claimed = []
    enqueue(post.state, [message("1")], ["a"], NOW)
    deliver(
        post.state,
        lambda name, delivery: claimed.append([one.claimed for one in post.saved[-1].deliveries]) or OK,
        lambda: post.saved.append(copy.deepcopy(post.state)),
        lambda: NOW,
        lambda: True,
    )
    assert claimed == [[True]]
    assert post.saved[-1].deliveries == []


def test_delivery_that_cannot_be_stored_is_not_sent():
    post = Post("a")
    enqueue(post.state, [message("1")], ["a"], NOW)

    def full():
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        deliver(post.state, post.send, full, lambda: NOW, lambda: True)
    assert post.tries == []


def test_failing_channel_loses_nothing_and_delays_no_other():
    post = Post("a", "b")
    post.down.add("a")
    for n in range(30):
        post.tick(str(n))
    assert post.titles("b") == [str(n) for n in range(30)]
    assert sum(name == "a" for _, name in post.tries) < 12  # it is retried with growing pauses
    post.down.clear()
    for _ in range(20):
        post.tick()
    assert post.titles("a") == [str(n) for n in range(30)]
    assert "late: raised 2026-11-23 12:00 UTC" in post.arrived["a"][0].body
    assert "late" not in post.arrived["b"][0].body


def test_pauses_grow_to_a_quarter_of_an_hour():
    pauses = [pause_after(failures) for failures in range(1, 2000)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(seconds=30), LONGEST_PAUSE)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 30), max_size=6), st.sets(st.sampled_from("abc")), st.integers(1, 90))
def test_no_minute_has_more_than_twenty_sends(bursts, down, gap):
    post = Post("a", "b", "c")
    post.down = down
    for burst in bursts:
        post.now += timedelta(seconds=gap) - MINUTE
        post.tick(*map(str, range(burst)))
        post.state = copy.deepcopy(post.state)  # a restart keeps the times of the sends
    times = [at for at, _ in post.tries]
    assert all(sum(at - MINUTE < other <= at for other in times) <= PER_MINUTE for at in times)


def test_long_queue_is_merged_and_every_message_is_counted():
    post = Post("a")
    post.down.add("a")
    for n in range(200):
        post.tick(f"message {n}")
        assert len(post.state.deliveries) <= LONGEST_QUEUE
    assert sum(delivery.merged for delivery in post.state.deliveries) == 200
    post.down.clear()
    for _ in range(30):
        post.tick()
    joined, *rest = post.arrived["a"]
    count = 200 - len(rest)
    assert joined.title == f"{count} messages merged: this channel could not be reached"
    lines = joined.body.splitlines()
    assert [line.split(" ", 1)[1] for line in lines[1 : NAMED + 1]] == [f"message {n}" for n in range(NAMED)]
    assert lines[-1].startswith(f"and {count - NAMED} more")
    assert KEPT <= len(rest) < LONGEST_QUEUE
    assert [delivery.title for delivery in rest] == [f"message {n}" for n in range(count, 200)]


def test_send_without_an_answer_is_repeated_and_marked():
    post = Post("a")
    post.lost.add("a")
    post.tick("1")
    post.lost.clear()
    post.tick()
    first, second = post.arrived["a"]
    assert "possibly repeated" not in first.body
    assert "possibly repeated" in second.body


def test_deliveries_of_a_removed_channel_are_dropped():
    post = Post("a", "b")
    post.down = {"a", "b"}
    post.tick("1")
    post.channels = ("b",)
    post.tick()
    assert [delivery.channel for delivery in post.state.deliveries] == ["b"]
    assert set(post.state.backoff) == {"b"}


def test_clock_set_back_delays_no_delivery():
    post = Post("a")
    post.down.add("a")
    post.tick(*map(str, range(20)))
    post.down.clear()
    post.now -= timedelta(hours=5)
    recover(post.state, post.now)
    for _ in range(17):
        post.tick()
    assert len(post.arrived["a"]) == 20


class Killed(Exception):
    """Stands for kill -9: nothing after it runs, and only the saved state is left."""


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 12)), max_size=20))
def test_kill_at_any_moment_loses_nothing_and_repeats_only_marked_deliveries(ticks):
    post = Post("a", "b")
    number = 0
    for burst, down, kill_at in ticks:
        post.down = {"b"} if down else set()
        enqueue(post.state, [message(str(number + n)) for n in range(burst)], post.channels, post.now)
        number += burst
        saved = [copy.deepcopy(post.state)]
        moments = iter(range(1000))

        def moment(kill_at=kill_at, moments=moments):
            if next(moments) == kill_at:
                raise Killed

        def save(saved=saved, moment=moment):
            moment()  # before it is on disk
            saved.append(copy.deepcopy(post.state))
            moment()  # after it

        def send(name, delivery, moment=moment):
            outcome = post.send(name, delivery)
            moment()  # it may have arrived
            return outcome

        with contextlib.suppress(Killed):
            deliver(post.state, send, save, lambda: post.now, lambda: True)
        post.state = copy.deepcopy(saved[-1])
        recover(post.state, post.now)
        post.now += MINUTE
    post.down = set()
    for _ in range(60):
        post.tick()
    for name in post.channels:
        by_title = Counter(post.titles(name))
        assert set(by_title) == {str(n) for n in range(number)}
        marked = Counter(delivery.title for delivery in post.arrived[name] if "possibly repeated" in delivery.body)
        assert all(count == 1 or marked[title] >= count - 1 for title, count in by_title.items())


SENDER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from polypipe.alerts.store import only_one, read_state, save_state
from polypipe.alerts.channels import Channels
from polypipe.alerts.deliveries import deliver, recover

home, channels = Path(sys.argv[1]), Channels([sys.argv[2]])
with only_one(home):
    state, _ = read_state(home, datetime.now(UTC))
    recover(state, datetime.now(UTC))
    save_state(home, state)
    print("ready", flush=True)
    while state.deliveries:
        state.attempts.clear()  # the rate limit has its own test
        deliver(state, channels.send, lambda: save_state(home, state), lambda: datetime.now(UTC), lambda: True)
"""


@pytest.mark.slow
def test_kill_9_of_a_sending_process_loses_nothing_and_repeats_only_marked_deliveries(tmp_path):
    """Real processes, a real channel. Killed at moments that the channel's progress chooses, up to four times."""
    with inbox() as channel:
        state = AlertState(watching_since=NOW)
        enqueue(state, [message(str(n)) for n in range(LONGEST_QUEUE)], ["json-1"], NOW)
        save_state(tmp_path, state)
        kills = 0
        for stop_after in (1, 9, 10, 24, 1000):
            sender = subprocess.Popen(
                [sys.executable, "-c", SENDER, str(tmp_path), channel.url], stdout=subprocess.PIPE, text=True
            )
            assert sender.stdout is not None
            while sender.poll() is None and len(channel.messages) < stop_after:
                time.sleep(0.0005)
            if sender.poll() is None:
                os.kill(sender.pid, signal.SIGKILL)
                kills += 1
            sender.wait()
            sender.stdout.close()
            if not read_state(tmp_path, NOW)[0].deliveries:
                break
        assert kills >= 3
        titles = Counter(title.removeprefix("polypipe ") for title in channel.titles)
        assert set(titles) == {str(n) for n in range(LONGEST_QUEUE)}
        repeated = [one for one in channel.messages if titles[one["title"].removeprefix("polypipe ")] > 1]
        assert sum(titles.values()) - LONGEST_QUEUE <= kills
        for title, count in titles.items():
            marked = [
                one for one in repeated if one["title"] == f"polypipe {title}" and "possibly repeated" in one["message"]
            ]
            assert len(marked) >= count - 1


def test_unreadable_state_is_reported_and_kept(tmp_path):
    for damage in (b"", b"{", b"[]", b'{"watching_since": 5}', b"\xff\xfe"):
        save_state(tmp_path, AlertState(watching_since=NOW))
        path = tmp_path / "alerts" / "state.json"
        path.write_bytes(damage)
        state, why = read_state(tmp_path, NOW)
        assert why
        assert state == AlertState(watching_since=NOW)
        assert set_aside(tmp_path, NOW).read_bytes() == damage
        assert not path.exists()
