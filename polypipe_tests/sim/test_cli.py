"""`python -m polypipe.sim`: prints its URL, starts its clock at the real time, stops on SIGTERM."""

import json
import re
import signal
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest

from polypipe.sim.catalog import UNIVERSE_TAGS

OPEN = {"closed": "false", "limit": 100, "version": ["v1", "v2"]}


def clock(url: str, events: list[dict[str, Any]]) -> float:
    """The exchange's clock in epoch seconds, from the timestamp of an order book."""
    for event in events:
        for market in event["markets"]:
            for token in json.loads(market.get("clobTokenIds", "[]"))[:1]:
                book = httpx.get(f"{url}/book", params={"token_id": token}, timeout=30)
                if book.status_code == 200:
                    return int(book.json()["timestamp"]) / 1000
    raise AssertionError("no market has an order book")


@pytest.mark.slow
def test_exchange_prints_its_url_serves_events_and_stops_on_sigterm() -> None:
    command = [sys.executable, "-m", "polypipe.sim", "--port", "0", "--events", "40", "--seed", "9", "--speed", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"simulated Polymarket at (http://127\.0\.0\.1:\d+) \(seed 9, 40 events\)\n", line)
            assert found, line
            events = httpx.get(f"{found[1]}/events/keyset", params=OPEN, timeout=30).json()["events"]
            universe = [e for e in events if UNIVERSE_TAGS & {int(tag["id"]) for tag in e["tags"]}]
            assert (len(universe), len(events)) == (40, 44)
            before, started = clock(found[1], events), time.monotonic()
            assert abs(before - time.time()) < 3600, "simulated time starts at the real one"
            time.sleep(1)
            passed = (clock(found[1], events) - before) / (time.monotonic() - started)
            assert passed == pytest.approx(60, rel=0.2)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) in (0, -signal.SIGTERM)


def test_busy_port_is_reported_in_one_line() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "polypipe.sim", "--port", "0", "--events", "1"], stdout=subprocess.PIPE, text=True
    ) as first:
        try:
            assert first.stdout is not None
            port = re.search(r":(\d+) ", first.stdout.readline())
            assert port
            second = subprocess.run(
                [sys.executable, "-m", "polypipe.sim", "--port", port[1]], capture_output=True, text=True, timeout=60
            )
            assert second.returncode == 1
            assert second.stderr.count("\n") == 1
            assert port[1] in second.stderr
        finally:
            first.terminate()
            first.wait(timeout=20)
