"""One whale that does everything in three days, and a copier that follows what it can, at a ratio of 0.1."""

from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import NO, YES, Script
from polypipe.sim.scripted_markets import Time, seconds
from polypipe.sim.wallets import DEPOSIT_ADDRESS

DAY, HOUR = 86_400, 3600
RATIO = 0.1


def all_acts(start: Time) -> Script:
    """A script of three days from a UTC midnight. Every kind of act occurs, most in a market of its own."""
    t = seconds(start)
    script = Script(ratio=RATIO)
    _trades(script, t)
    _exits_without_a_sale(script, t)
    _moves(script, t)
    _settlements(script, t)
    _combos_and_payments(script, t)
    return script


def _trades(script: Script, t: int) -> None:
    """A copied, a late, a missed and an own purchase, fees, rebates and dust."""
    market = script.market("Copied?", [(t, 0.40), (t + DAY - HOUR, 0.50), (t + 2 * DAY - HOUR, 0.45)])
    script.copy(script.buy(WHALE_ADDRESS, t + HOUR, market, YES, 10_000, 0.40, fee=True), 1_000, 0.41, fee=True)
    script.copy(
        script.buy(WHALE_ADDRESS, t + 2 * HOUR, market, YES, 5_000, 0.40, maker=True), 300, 0.42, after=90, fee=True
    )
    script.miss(script.buy(WHALE_ADDRESS, t + 3 * HOUR, market, YES, 4_000, 0.40, maker=True), "breaker")
    script.buy(COPIER_ADDRESS, t + 4 * HOUR, market, NO, 50, 0.60)
    script.copy(script.sell(WHALE_ADDRESS, t + DAY + HOUR, market, YES, 10_000, 0.50, fee=True), 700, 0.49, fee=True)
    dust = script.market("Dust?", 0.50)
    script.copy(script.buy(WHALE_ADDRESS, t + HOUR, dust, YES, 2_000, 0.50), 200)
    script.copy(script.sell(WHALE_ADDRESS, t + 5 * HOUR, dust, YES, 1_999.7, 0.50), 200)
    crumb = script.market("Crumb?", 0.50)
    script.copy(script.buy(WHALE_ADDRESS, t + HOUR, crumb, YES, 2_000, 0.50), 200)
    script.miss(script.sell(WHALE_ADDRESS, t + DAY + 5 * HOUR, crumb, YES, 1_999.7, 0.50), "breaker")
    shares = script.market("Fee in shares?", 0.50)
    script.copy(script.buy(WHALE_ADDRESS, t + HOUR, shares, YES, 1_000, 0.50, received=978.7), 100)
    script.copy(script.sell(WHALE_ADDRESS, t + 6 * HOUR, shares, YES, 978.7, 0.50), 100)


def _exits_without_a_sale(script: Script, t: int) -> None:
    """Merge after buying the other outcome, split and sale of one side, conversion."""
    merged = script.market("Merged?", [(t, 0.50), (t + DAY - HOUR, 0.60), (t + DAY + 6 * HOUR, 0.20)])
    script.copy(script.buy(WHALE_ADDRESS, t + HOUR, merged, YES, 10_000, 0.50), 1_000)
    script.miss(script.buy(WHALE_ADDRESS, t + DAY + HOUR, merged, NO, 10_000, 0.40), "breaker")
    script.merge(WHALE_ADDRESS, t + DAY + HOUR + 60, merged, 10_000)
    split = script.market("Split?", [(t, 0.50), (t + DAY - HOUR, 0.80)])
    script.split(WHALE_ADDRESS, t + HOUR, split, 1_000)
    script.miss(script.sell(WHALE_ADDRESS, t + HOUR + 60, split, NO, 1_000, 0.50), "no_position")
    a, b, c = script.event(
        "Who wins?",
        {"A": 0.3, "B": [(t, 0.3), (t + DAY - HOUR, 0.2)], "C": [(t, 0.4), (t + DAY - HOUR, 0.5)]},
        winner="C",
        settles_at=t + 10 * DAY,
    )
    for market in (a, b):
        script.copy(script.buy(WHALE_ADDRESS, t + HOUR, market, NO, 5_000, 0.70), 500)
    script.convert(WHALE_ADDRESS, t + DAY + 2 * HOUR, [a, b], 5_000)
    assert c.payout == 1


def _moves(script: Script, t: int) -> None:
    """Shares moved to another address with and without a row, and a fill whose shares go there at once."""
    for silent in (False, True):
        market = script.market(f"Moved {'silently' if silent else 'openly'}?", [(t, 0.40), (t + 2 * DAY - HOUR, 0.30)])
        script.copy(script.buy(WHALE_ADDRESS, t + HOUR, market, YES, 2_000, 0.40), 200)
        script.migrate(WHALE_ADDRESS, DEPOSIT_ADDRESS, t + DAY + 3 * HOUR, market, YES, 2_000, silent=silent)
    apart = script.market("Held elsewhere?", [(t, 0.30), (t + 2 * DAY - HOUR, 0.35)])
    script.copy(script.buy(WHALE_ADDRESS, t + 7 * HOUR, apart, YES, 1_000, 0.30, held_by=DEPOSIT_ADDRESS), 100)


def _settlements(script: Script, t: int) -> None:
    """A draw that pays half to both outcomes, a win whose redeem row comes twice, and lost positions left alone."""
    drawn = script.market("Drawn?", 0.50, settles_at=t + DAY + 12 * HOUR, payout=0.5)
    script.copy(script.buy(WHALE_ADDRESS, t + HOUR, drawn, YES, 1_000, 0.45), 100)
    script.copy(script.buy(WHALE_ADDRESS, t + HOUR + 60, drawn, NO, 500, 0.55), 50)
    script.redeem_both(WHALE_ADDRESS, t + DAY + 13 * HOUR, drawn, 1_000, 500)
    script.redeem_both(COPIER_ADDRESS, t + DAY + 14 * HOUR, drawn, 100, 50)
    won = script.market("Won?", 0.60, settles_at=t + 2 * DAY + HOUR)
    script.copy(script.buy(WHALE_ADDRESS, t + HOUR, won, YES, 1_000, 0.60), 100)
    script.repeat(script.redeem(WHALE_ADDRESS, t + 2 * DAY + 2 * HOUR, won, YES, 1_000))
    script.redeem(COPIER_ADDRESS, t + 2 * DAY + 2 * HOUR, won, YES, 100)
    script.losers(WHALE_ADDRESS, t + 8 * HOUR, 20)


def _combos_and_payments(script: Script, t: int) -> None:
    """A combo that wins and one that stays open; rewards, rebates and a type that is not known."""
    sun = script.market("Sun?", 0.5, settles_at=t + DAY + 6 * HOUR)
    wind = script.market("Wind?", 0.8, settles_at=t + DAY + 8 * HOUR)
    snow = script.market("Snow?", 0.1)
    won = script.combo((sun, YES), (wind, YES))
    script.buy(WHALE_ADDRESS, t + HOUR, won, YES, 2_000, 0.40)
    script.redeem(WHALE_ADDRESS, t + 2 * DAY + HOUR, won, YES, 2_000)
    script.buy(WHALE_ADDRESS, t + HOUR, script.combo((sun, YES), (snow, YES)), YES, 1_000, 0.06)
    for kind, usdc in (("REWARD", 20.0), ("MAKER_REBATE", 12.5), ("TAKER_REBATE", 3.0), ("TIP", 7.1), ("TIP", 7.1)):
        script.pay(WHALE_ADDRESS, t + DAY + HOUR, kind, usdc)
