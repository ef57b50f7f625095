"""kill -9 of a run in each phase, at random moments, while the exchange changes from run to run.

After each kill each of the six files completely matches an old world or the new one, DuckDB opens in a new process with a
single world, and the next run succeeds without help and updates everything to the new world.
"""

import os
import random
import subprocess
import time
from collections import Counter

import pytest

from polypipe_tests.faults.support import FILES, PHASES, Runs, read_tables, truth, world_of, world_of_tables
from polypipe_tests.sim.server import SimServer
from polypipe_tests.support import POLYPIPE

pytestmark = pytest.mark.slow

KILLS = 100
SHORT_KILLS = 3
AGAIN = 0.4  # share of repairing runs that are killed too; in the short version all but the last
NEW_HOME_EVERY = 20  # share of kills that hit the first run of a home
MOST_WORLDS = 4  # number of older worlds that files may match before a run completes
COMMAND_EVERY = 10  # share of next runs that are started as the command `polypipe refresh`, with its imports
DAY = 86_400


def worlds_of(sim):
    """Clock -> truth, for days far enough apart that every file differs."""
    began = sim.clock.now()
    found = {}
    for day in range(1, 40, 5):
        sim.clock.set(began + day * DAY)
        found[sim.clock.now()] = truth(sim.url)
    return found


def may_follow(new, old):
    """True if every file differs and none shrinks enough for the guard to refuse it."""
    if old is None:
        return True
    plain = [file for file in FILES if file != ".atp_categorized.json"]  # which has the tokens of another file
    return all(new[file] != old[file] and 2 * len(new[file]) >= len(old[file]) for file in plain)


@pytest.mark.timeout(3600)
def test_a_killed_run_leaves_complete_files_and_the_next_run_succeeds(chaos, figures, tmp_path):
    chance = random.Random(20261123)
    kills, again = (KILLS, AGAIN) if chaos else (SHORT_KILLS, 1)
    killed, left, recovery = Counter(), Counter(), []
    with SimServer(events=60, seed=3, latency_ms=5) as sim:
        worlds = worlds_of(sim)
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        env |= {f"POLYPIPE_{name}_URL": sim.url for name in ("GAMMA", "DATA", "PNL", "CLOB")}
        with Runs(env, tmp_path) as runs:
            home = tmp_path / "home"
            now = next(iter(worlds))
            sim.clock.set(now)
            whole = runs.run(home)
            assert whole.code == 0, whole.output
            assert_all_of_one_world(home, worlds[now])
            possible = [worlds[now]]  # the worlds a file may match, the newest last
            tries = 0
            while killed.total() < kills:
                assert tries < 2 * kills, killed
                if tries and tries % NEW_HOME_EVERY == 0:
                    home, possible = tmp_path / f"home{tries}", [None]
                fitting = [clock for clock in worlds if all(may_follow(worlds[clock], world) for world in possible)]
                now = chance.choice(fitting)
                sim.clock.set(now)
                possible.append(worlds[now])

                dead = runs.run(home, whole.target(PHASES[tries % len(PHASES)], chance))
                died_at = time.monotonic()
                tries += 1
                if dead.code == 0:  # it never reached the targeted step
                    possible = possible[-1:]
                    continue
                assert dead.code == -9, dead.output
                killed[dead.phase()] += 1
                of = [world_of(home / "bot" / file, *possible) for file in FILES]
                left.update("new" if number == len(possible) - 1 else "old" for number in of)
                seen = read_tables(home)
                for tables in (seen.live, seen.published):
                    world_of_tables(tables, *possible)
                if killed.total() < kills and len(possible) < MOST_WORLDS and chance.random() < again:
                    continue

                if (len(recovery) + 1) % COMMAND_EVERY:
                    following = runs.run(home)
                    assert following.code == 0, following.output
                    whole = following
                else:
                    command = [POLYPIPE, "refresh"]
                    there = env | {"POLYPIPE_HOME": str(home)}
                    subprocess.run(command, env=there, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
                recovery.append(time.monotonic() - died_at)
                possible = possible[-1:]
                assert_all_of_one_world(home, possible[0], seen.published)

    assert all(killed[phase] >= kills // len(PHASES) // 2 for phase in PHASES), killed
    spread = ", ".join(f"{killed[phase]} in the {phase}" for phase in PHASES)
    held = f"six files whole ({left['old']} old, {left['new']} new), DuckDB opens, the next run succeeds unaided"
    figures.add(1, f"kill -9 of a run: {spread}", kills, held, max(recovery))


def assert_all_of_one_world(home, world, before=None):
    """Check that files, live database and published tables match this world and keep the rows published `before`."""
    assert {path.name for path in (home / "bot").iterdir()} == set(FILES)
    for file in FILES:
        world_of(home / "bot" / file, world)
    seen = read_tables(home)
    for tables in (seen.live, seen.published):
        world_of_tables(tables, world)
    assert seen.live.digest == seen.published.digest
    assert [entry.name for entry in (home / "spool").iterdir() if not entry.name.startswith(".tmp-")] == []
    if before:
        assert set(before.publications) < set(seen.published.publications)
        assert set(before.crawls) < set(seen.published.crawls)
