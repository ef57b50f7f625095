"""The worlds themselves are consistent, and polypipe meets its targets on a few of them.

`make accuracy` measures all kinds of worlds and writes docs/accuracy.md.
"""

import ast
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from polypipe_tests.truth.causes import truth_of
from polypipe_tests.truth.wallets import COPIER, WHALE, Wallet
from polypipe_tests.truth.worlds import BY_NAME, KINDS, make

HERE = Path(__file__).parent

made = cache(make)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_wallets_of_all_causes_sum_to_the_gap(kind) -> None:
    for seed in range(2):
        for truth in truth_of(made(kind, seed)):
            assert sum(truth.parts.values()) + truth.timing == pytest.approx(truth.gap, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_nobody_sells_what_he_does_not_hold(kind) -> None:
    world = made(kind, 0)
    for who in (COPIER, WHALE):
        wallet = Wallet()
        for act in world.of(who):
            wallet.act(act)
            assert all(shares > -0.011 for shares in wallet.shares.values()), act


def test_a_world_is_always_the_same() -> None:
    one, other = (make(BY_NAME["everything"], 5) for _ in range(2))
    assert [(act.t, act.kind, act.shares, act.tx) for act in one.acts] == [
        (act.t, act.kind, act.shares, act.tx) for act in other.acts
    ]


def test_the_same_luck_meets_every_ratio() -> None:
    kind = replace(BY_NAME["heavy tails"], killed=0.2)
    one, other = make(kind, 1), make(replace(kind, ratio=0.2), 1)
    assert [act.tx for act in one.of(WHALE)] == [act.tx for act in other.of(WHALE)]
    pairs = [(a, b) for a, b in zip(one.fills, other.fills, strict=True) if a.act.sign > 0 and a.act.shares >= 100]
    assert sum(a.why == "killed" for a, _ in pairs) > 5
    assert [a.why == "killed" for a, _ in pairs] == [b.why == "killed" for _, b in pairs]
    assert sum(b.copied for _, b in pairs) > 2 * sum(a.copied for a, _ in pairs)


BOUNDARY = {"product.py", "surfaces.py", "coverage.py", "test_coverage.py"}
"""coverage.py has laws of its own, without a world."""


def test_truth_shares_no_code_with_polypipe() -> None:
    for path in HERE.glob("*.py"):
        imported = [
            name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
        ]
        if path.name not in BOUNDARY:
            assert not [name for name in imported if name.partition(".")[0] == "polypipe"], path.name
        assert not [name for name in imported if name.startswith(("polypipe.sim", "polypipe_tests.sim"))], path.name
