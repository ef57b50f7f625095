"""Measures accuracy on random worlds: `python -m polypipe_tests.truth`.

python -m polypipe_tests.truth --write docs/accuracy.md [--seeds 3]   measure all kinds and write the tables
python -m polypipe_tests.truth "US evenings" 0                        one world, truth against polypipe, day by day
"""

import argparse
import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from polypipe_tests.truth.causes import truth_of
from polypipe_tests.truth.product import matched, measured
from polypipe_tests.truth.report import missed, tables, write
from polypipe_tests.truth.score import Score, add, add_fills
from polypipe_tests.truth.world import Kind
from polypipe_tests.truth.worlds import BY_NAME, KINDS, make


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m polypipe_tests.truth", description=__doc__)
    parser.add_argument("kind", nargs="?", choices=sorted(BY_NAME), help="only this kind of world")
    parser.add_argument("seed", nargs="?", type=int, help="only this world, in detail")
    parser.add_argument("--seeds", type=int, default=2, help="worlds of each kind")
    parser.add_argument("--more", type=int, default=8, help="further worlds of each kind of which only fills are matched")
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="write the tables into this document")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    given = parser.parse_args()
    if given.seed is not None:
        in_detail(BY_NAME[given.kind], given.seed)
        return
    kinds = [BY_NAME[given.kind]] if given.kind else list(KINDS)
    jobs = [(kind, seed, seed < given.seeds) for kind in kinds for seed in range(given.seeds + given.more)]
    jobs = [job for job in jobs if job[2] or not job[0].snapshots]  # a ratio is known only day by day
    scores = {kind: Score() for kind in kinds}
    with ProcessPoolExecutor(given.processes) as pool:
        for (kind, *_), score in zip(jobs, pool.map(score_of, *zip(*jobs, strict=True)), strict=True):
            scores[kind].include(score)
            print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    text = tables(scores)
    if given.write:
        write(given.write, text)
    print(text)


def score_of(kind: Kind, seed: int, whole: bool = True) -> Score:
    """The score of one world, in a home that is removed afterwards; only of its fills if not `whole`."""
    world, score, home = make(kind, seed), Score(), Path(tempfile.mkdtemp(prefix="polypipe-truth-"))
    try:
        if whole:
            add(score, world, measured(world, home))
        else:
            add_fills(score, world, matched(world, home))
    finally:
        shutil.rmtree(home)
    return score


def in_detail(kind: Kind, seed: int) -> None:
    """Print each day's parts, truth and stored, and the fills that are wrong."""
    world, home = make(kind, seed), Path(tempfile.mkdtemp(prefix="polypipe-truth-"))
    found = measured(world, home)
    score = Score()
    add(score, world, found)
    for truth, gap, day in zip(truth_of(world), found.gaps, score.days, strict=True):
        print(f"{gap['day']:%Y-%m-%d} gap {truth.gap:.2f}, stored {gap['gap']}; absolute parts {truth.absolute:.2f}")
        print(f"  unexplained {gap['unexplained']}, truly timing {truth.timing:.2f}")
        for part in sorted(day.errors):
            true, stored = truth.parts.get(part, 0.0), gap[part] or 0.0
            if max(abs(true), abs(stored)) > 0.005:
                print(f"  {part:20} {true:10.2f} {stored:10.2f}  {day.errors[part]:8.2%}")
        print(f"  numbers: { {name: verdict for name, verdict in day.numbers.items() if verdict != 'right'} }")
        print(f"  notes: {dict(gap['notes'])}")
    print(*score.fills.wrong, sep="\n")
    print("exits (true, stored):", *(one for one in score.exits if one[1] != one[2]), sep="\n  ")
    print("misses:", *(missed(kind, score) or ["nothing"]), sep="\n  ")
    print("home:", home)


if __name__ == "__main__":
    main()
