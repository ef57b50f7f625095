"""Probes of processes, ticks, runs and the spool: which state makes which sentence, and that no other state fails."""

from dataclasses import replace

import pytest

from polypipe.health.records import AbandonedRun, LastTick, ProgramHealth, RejectedBatch, Servers, SpoolState, TicksAndRuns
from polypipe.health.registry import failing, findings, of_subjects
from polypipe_tests.health.support import facts

PROGRAM = ProgramHealth("daemon", "running", 7, 600.0, 100_000_000, 0, None)
TICK = LastTick("catch_up", "sensor", "skipped", 10.0, None, 15.0, True)
DAILY = LastTick("history_schedule", "schedule", "success", 40_000.0, None, None, True)
BATCH = "20261123T000000000000-aa-fills"


def servers(*programs, uptime=600.0, strays=()):
    web = replace(PROGRAM, name="webserver", answers=True)
    return {"servers": Servers(5, uptime, [*(programs or (PROGRAM,)), web], strays)}


def ticks(*found, uptime=600.0, abandoned=()):
    return servers(uptime=uptime) | {"ticks_and_runs": TicksAndRuns(found, abandoned)}


CASES = {
    "healthy": ({}, []),
    "not running": ({"servers": Servers(), "ticks_and_runs": TicksAndRuns()}, []),
    "gone": (servers(replace(PROGRAM, state="gone")), ["daemon is not running: gone"]),
    "starting": (servers(replace(PROGRAM, state="starting")), ["daemon is starting: it waits for the code server"]),
    "silent server": (servers(replace(PROGRAM, answers=False)), ["daemon (pid 7) does not answer"]),
    "restarted long ago": (servers(replace(PROGRAM, restarts=9)), []),
    "crash loop": (
        servers(replace(PROGRAM, restarts=3, uptime_seconds=5.0)),
        ["daemon keeps ending: 3 restarts; see `polypipe logs daemon`"],
    ),
    "stray": (servers(strays=[8]), ["pid 8 is left over from an earlier start: `polypipe restart` ends it"]),
    "no tick ever": (ticks(), ["no schedule or sensor has ever ticked: see `polypipe logs daemon`"]),
    "no tick yet": (ticks(uptime=60.0), []),
    "no recent tick": (
        ticks(replace(TICK, age_seconds=130.0)),
        ["no schedule or sensor has ticked for 2 min; limit 2 min: see `polypipe logs daemon`"],
    ),
    "one late sensor": (
        ticks(TICK, replace(TICK, name="slow", age_seconds=500.0)),
        ["slow last ticked 8 min ago; it should every 15 s"],
    ),
    "sensor of an older version": (ticks(TICK, replace(TICK, name="old", age_seconds=5000.0)), []),
    "sensor switched off": (ticks(TICK, replace(TICK, name="off", age_seconds=500.0, switched_on=False)), []),
    "failed tick": (
        ticks(replace(TICK, state="failure", error="ValueError: no")),
        ["the last tick of catch_up failed 10 s ago: ValueError: no"],
    ),
    "batch waits too long": (
        {"spool": SpoolState([2.0, 130.0], gate="pid 9 (duckdb)")},
        ["2 batches are waiting in the spool, the oldest for 2 min; limit 2 min; the warehouse is held by pid 9 (duckdb)"],
    ),
    "batch waits a moment": ({"spool": SpoolState([2.0], gate="pid 9 (duckdb)")}, []),
    "rejected batch": (
        {"spool": SpoolState(rejected=[RejectedBatch(BATCH, "a reason")])},
        [f"batch {BATCH} was rejected and is kept in spool/rejected: a reason"],
    ),
    "abandoned run": (
        ticks(TICK, abandoned=[AbandonedRun("0a", "crawl", None)]),
        ["run 0a of crawl counts as running, but no process works on it: `polypipe restart` closes it"],
    ),
    "full disk": (
        {"free": {"POLYPIPE_HOME": 5 * 10**8}},
        ["0.50 GB are free on the disk of POLYPIPE_HOME; limit 2 GB"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_only_unhealthy_states_fail_each_with_its_sentence(name):
    change, sentences = CASES[name]
    known = facts(**(ticks(TICK, DAILY) | change))
    assert failing(findings(of_subjects("processes", "spool", "disk"), known)) == sentences
