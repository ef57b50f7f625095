"""The worlds themselves are consistent, and polypipe meets its targets on a few of them.

`make accuracy` measures all kinds of worlds and writes docs/accuracy.md.
"""

import ast
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
            assert sum(truth.parts.values()) + truth.timing + truth.ratio_change == pytest.approx(truth.gap, abs=1e-6)


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


BOUNDARY = {"product.py", "surfaces.py"}


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
