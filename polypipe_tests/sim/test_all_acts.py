"""Whales that do everything: for three days by a script, and for months in the random life of the demo."""

from collections import Counter, defaultdict
from datetime import UTC, datetime

import pytest

from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.ledger import Ledger
from polypipe.sim.odd import odd_acts
from polypipe.sim.script import Script
from polypipe.sim.wallets import DEPOSIT_ADDRESS
from polypipe.sim.world import World
from polypipe_tests.sim.all_acts import DAY, HOUR, all_acts
from polypipe_tests.sim.scripted import played

START = int(datetime(2026, 11, 17, tzinfo=UTC).timestamp())
END = START + 3 * DAY


def cash_and_shares(ledger: Ledger, wallet: str, at: float) -> tuple[float, dict[str, float]]:
    """Cash moved and shares held, from the acts alone. The cost of migrated shares counts as cash."""
    cash, held = 0.0, defaultdict[str, float](float)
    for act in (a for a in ledger.acts[wallet] if a.at <= at and a.applied):
        market, size = act.market, act.size
        if act.kind == "TRADE":
            buys = act.side == "BUY"
            cash += -act.usdc if buys else act.usdc
            held[act.token] += (size if act.received is None else act.received) if buys else -size
        elif act.kind in ("SPLIT", "MERGE") and market:
            sign = 1 if act.kind == "SPLIT" else -1
            cash -= sign * act.usdc
            for outcome in (0, 1):
                held[market.token(outcome)] += sign * size
        elif act.kind == "REDEEM":
            cash += act.usdc
            if act.pair and market:
                for outcome in (0, 1):
                    held[market.token(outcome)] -= act.pair[outcome]
            else:
                held[act.token] -= size
        elif act.kind == "CONVERSION":
            cash += size * (len(act.legs) - 1)
            given = {m.id for m, _ in act.legs}
            for m in act.legs[0][0].event.markets:
                held[m.token(1 if m.id in given else 0)] += -size if m.id in given else size
        elif act.kind == "MIGRATION":
            held[act.token] += -size if act.to else size
    return cash, {token: round(size, 6) for token, size in held.items() if abs(size) > 1e-6}


def holdings_agree(ledger: Ledger, wallet: str, at: float) -> None:
    """Positions and PnL of the ledger follow from the acts."""
    cash, held = cash_and_shares(ledger, wallet, at)
    positions = {p.token: p for p in ledger.positions(wallet, at)}
    combos = {c.combo.token(c.outcome): c for c in ledger.combos(wallet, at) if c.size}
    assert held == pytest.approx({t: p.size for t, p in positions.items()} | {t: c.size for t, c in combos.items()})
    moved = [a for a in ledger.acts[wallet] if a.kind == "MIGRATION" and a.at <= at]
    if not moved:
        value = ledger.value(wallet, at) + sum(c.value(at) for c in combos.values())
        assert dict(ledger.hours(wallet, at))[at] == pytest.approx(cash + value, abs=1e-4)


def test_pnl_of_the_scripted_whale_is_realised_plus_unrealised_at_every_hour() -> None:
    script = all_acts(START)
    ledger = Ledger(World(3, 1, script.events), script)
    for at in range(START, END + 1, HOUR):
        for wallet in (WHALE_ADDRESS, COPIER_ADDRESS, DEPOSIT_ADDRESS):
            ledger.reach(at)
            if ledger.history(wallet, at):
                holdings_agree(ledger, wallet, at)
    total = sum(list(ledger.hours(w, END))[-1][1] for w in (WHALE_ADDRESS, DEPOSIT_ADDRESS))
    cash, value = 0.0, 0.0
    for wallet in (WHALE_ADDRESS, DEPOSIT_ADDRESS):
        cash += cash_and_shares(ledger, wallet, END)[0]
        value += ledger.value(wallet, END) + sum(c.value(END) for c in ledger.combos(wallet, END))
    assert total == pytest.approx(cash + value), "what moves between the two addresses is neither won nor lost"


def test_scripted_whale_shows_every_kind_of_row_over_http() -> None:
    with played(all_acts(START), END) as api:
        rows = api.rows(limit=500)
        kinds = Counter(r["type"] for r in rows)
        assert kinds.keys() == {
            "TRADE", "SPLIT", "MERGE", "CONVERSION", "MIGRATION", "REDEEM", "REWARD", "MAKER_REBATE", "TAKER_REBATE", "TIP",
        }  # fmt: skip
        assert kinds["MIGRATION"] == 1, "the silent one has no row"
        assert sum(r.get("isCombo", False) for r in rows) == 3
        positions = api.get("/positions", limit=500, sizeThreshold=0)
        assert sum(r["redeemable"] for r in positions) == 20
        assert len(api.get("/v1/positions/combos")["combos"]) == 2
        assert api.value() == pytest.approx(sum(r["currentValue"] for r in positions))
        assert api.pnl() != 0
        assert len(api.sim.copy_truth()) == 21


@pytest.fixture(scope="module")
def months() -> Ledger:
    return Ledger(World(3, 120), Script(life=True, fees=True, daily=odd_acts))


@pytest.mark.slow
def test_random_life_with_odd_acts_has_every_kind_and_its_pnl_follows(months: Ledger) -> None:
    kinds = Counter(a.kind for a in months.history(WHALE_ADDRESS, END))
    assert kinds.keys() >= {"MERGE", "SPLIT", "CONVERSION", "TIP"}
    assert any(a.combo for a in months.history(WHALE_ADDRESS, END))
    for at in range(END - 60 * DAY, END, 5 * DAY + 7 * HOUR):
        for wallet in (WHALE_ADDRESS, COPIER_ADDRESS):
            holdings_agree(months, wallet, at)
            assert all(p.size > 0 for p in months.positions(wallet, at))


def test_conversions_of_the_random_life_are_in_events_with_one_winner(months: Ledger) -> None:
    converted = [a for a in months.history(WHALE_ADDRESS, END) if a.kind == "CONVERSION"]
    assert len(converted) > 10
    for act in converted:
        assert sum(m.payout for m in act.legs[0][0].event.markets) == 1


def test_whale_of_the_random_life_is_mostly_a_maker_and_takers_pay(months: Ledger) -> None:
    fills = [
        a for a in months.history(WHALE_ADDRESS, END) if a.kind == "TRADE" and a.market and not a.nonce.startswith("odd")
    ]
    assert sum(a.maker for a in fills) / len(fills) == pytest.approx(35 / 42, abs=0.03)
    copies = [a for a in months.history(COPIER_ADDRESS, END) if a.kind == "TRADE"]
    assert not any(a.maker for a in copies)
    for act in (*fills, *copies):
        due = 0 if act.maker else 0.05 * act.size * act.price * (1 - act.price)
        assert abs(act.usdc - act.size * act.price) == pytest.approx(due, abs=2e-5)
    own = {a.hash: a for a in copies}
    assert all(t.copy == own[t.copy.hash] for t in months.copy_truth(END - HOUR) if t.copy)
