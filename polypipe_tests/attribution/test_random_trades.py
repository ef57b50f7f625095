"""The parts of the gap on random trades of both wallets.

PnL is computed here from cash and holdings, so only effects that the notes give in USD may stay unexplained.
"""

import json
import random
from datetime import timedelta
from itertools import pairwise

import pytest

from polypipe.attribution.copy_fills import fill_rows
from polypipe.attribution.daily_gap import gap_rows
from polypipe.attribution.parts import PARTS
from polypipe_tests.attribution.tables import COPIER, T0, WALLETS, WHALE, insert, known_days, measured, trade

DAY, S = timedelta(days=1), timedelta(seconds=1)
DAYS = [T0 + n * DAY for n in range(4)]


def random_trades(chance):
    """(at, wallet, token, side, shares, price, fee), in order of time: copies in full, in part and by the tier, some over
    midnight, misses, own trades."""
    whales, ours = dict.fromkeys("ABCD", 0.0), dict.fromkeys("ABCD", 0.0)
    trades = []

    def add(at, wallet, token, side, shares, price):
        held = whales if wallet == WHALE else ours
        held[token] += shares if side == "BUY" else -shares
        trades.append((at, wallet, token, side, shares, price, chance.choice([0, 0, 0.05, -0.02])))

    at = T0
    while True:
        at += chance.randrange(200, 4000) * S
        if chance.random() < 0.1:
            at = at.replace(hour=0, minute=0, second=0) + DAY - chance.choice([0, 1, 3]) * S
        if at > DAYS[-1] + 23 * 3600 * S:
            return trades
        token, price = chance.choice("ABCD"), round(chance.uniform(0.02, 0.97), 3)
        side = "SELL" if whales[token] > 20 and chance.random() < 0.4 else "BUY"
        shares = whales[token] * chance.choice([1, 0.5, 0.3]) if side == "SELL" else chance.choice([5, 50, 300, 1000, 5000])
        add(at, WHALE, token, side, shares, price)
        copied = 0.1 * shares * chance.choice([0, 0.4, 1, 1, 1.25 if shares >= 4000 and side == "BUY" else 1])
        copied = min(round(copied, 2), ours[token]) if side == "SELL" else round(copied, 2)
        if shares >= 10 and copied > 0.05:
            at += chance.choice([2, 5, 9, 40]) * S
            add(at, COPIER, token, side, copied, round(min(max(price + chance.choice([-0.01, 0, 0.02]), 0.01), 0.99), 3))
        if chance.random() < 0.15:
            at += chance.randrange(300, 600) * S
            if ours[token] > 1 and chance.random() < 0.6:
                add(at, COPIER, token, "SELL", ours[token] * chance.choice([1, 0.5]), price)
            else:
                add(at, COPIER, token, "BUY", 33.0, price)


def pnl(trades, who, start, end):
    """Change of cash and of the value of holdings, at the last price by then."""
    cash, change = 0.0, 0.0
    for sign, t in ((-1, start), (1, end)):
        price = {token: price for at, _, token, _, _, price, _ in trades if at <= t}
        for at, wallet, token, side, shares, _, _ in trades:
            if wallet == who and at < t:
                change += sign * (shares if side == "BUY" else -shares) * price[token]
    for at, wallet, _, side, shares, price, fee in trades:
        if wallet == who and start <= at < end:
            cash -= (shares if side == "BUY" else -shares) * price + fee
    return cash + change


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_everything_unexplained_is_noted_in_usd(con, seed) -> None:
    trades = random_trades(random.Random(seed))
    known_days(con, *DAYS)
    for n, (at, wallet, token, side, shares, price, fee) in enumerate(trades):
        usd = shares * price + (fee if side == "BUY" else -fee)
        trade(con, wallet, at, shares, price, side, token, tx=f"0x{n}", key=str(n), usdc_size=usd)
    for start, end in pairwise([*DAYS, DAYS[-1] + DAY]):
        measured(con, start, *(pnl(trades, who, start, end) for who in (COPIER, WHALE)))
    fills = fill_rows(con, WALLETS, T0, DAYS[-1] + DAY)
    copied = sum(shares for _, wallet, _, _, shares, _, _ in trades if wallet == COPIER)
    assert sum(row["copier_shares"] for row in fills) == pytest.approx(copied)  # nothing lost, nothing twice
    for row in fills:
        insert(con, "copy_fills", **{name: value for name, value in row.items() if value is not None})
    rows, exits = gap_rows(con, WALLETS, T0, DAYS[-1] + DAY)
    for row in rows:
        # notes on old marks have the USD of a position, not an amount that is unexplained
        notes = {text: usd for text, usd in json.loads(row["notes"]).items() if "open deviation" not in text}
        named = sum(usd for usd in notes.values() if usd is not None)
        assert row["unexplained"] == pytest.approx(named, abs=1e-6)
        assert sum(row[name] for name in PARTS) + row["unexplained"] == pytest.approx(row["gap"], abs=1e-6)
    assert sum(row["unexplained"] for row in rows) == pytest.approx(0, abs=1e-6)
    assert sum(abs(row["gap"]) for row in rows) > 10
    for one in exits:
        ours = (t for t in trades if t[1] == COPIER and t[2] == one["token_id"] and t[0] < one["day"] + DAY)
        assert one["shares"] <= sum(shares if side == "BUY" else -shares for _, _, _, side, shares, _, _ in ours) + 1e-6
