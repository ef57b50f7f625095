"""Scripts: markets with set prices and wallets with set acts, instead of the random life or on top of it.

Markets and acts are added in any order, with times as datetimes or epoch seconds from 2026-06-01 on, and are played in
the order of time. The script must be complete when the exchange gets it. An example: the whale leaves a position by
buying the other outcome and merging, and the copier still holds it.

    script = Script()
    market = script.market("Will it rain?", [(t0, 0.50), (t0 + 3600, 0.60)])
    script.copy(script.buy(WHALE_ADDRESS, t0, market, YES, 10_000, 0.50), 1_000, 0.50)
    script.miss(script.buy(WHALE_ADDRESS, t0 + 3600, market, NO, 10_000, 0.40), "breaker")
    script.merge(WHALE_ADDRESS, t0 + 3660, market, 10_000)
    with SimServer(script=script, start=t0 + 7200) as sim:
        ...  # /positions, /activity, /user-pnl, /markets, ... of both wallets follow from these acts

`copy` adds a fill of the copier and, like `miss`, the line of its bot's log. A whale fill with neither has no line. With
`Script(life=True)` the random life of both wallets is played as well, and the copier also follows the script's fills.
Nothing is added otherwise: positions that settle stay until the script redeems them.
"""

from collections.abc import Callable
from dataclasses import replace

from polypipe.sim import acts as make
from polypipe.sim.combos import Combo
from polypipe.sim.copier import RATIO, CopyTruth
from polypipe.sim.model import Market
from polypipe.sim.scripted_markets import ScriptedMarkets, Time, seconds
from polypipe.sim.wallets import COPIER_ADDRESS, DAY, FIRST_DAY, Act, redeem
from polypipe.sim.world import World

YES, NO = 0, 1


class Script(ScriptedMarkets):
    """Markets and acts to play.

    `ratio` is what the bot orders by. `/user-pnl` is net of fees unless `fees_in_pnl` is False. The rest is about the
    random life (`life`): `fees` makes takers pay the fees of 2026 and the whale mostly a maker, `daily` adds acts to each
    day, as (world, day since the epoch) -> acts.
    """

    def __init__(
        self,
        *,
        life: bool = False,
        ratio: float = RATIO,
        fees: bool = False,
        fees_in_pnl: bool = True,
        daily: Callable[[World, int], list[Act]] | None = None,
    ) -> None:
        super().__init__()
        self.life, self.ratio, self.daily = life, ratio, daily
        self.fees, self.fees_in_pnl = fees, fees_in_pnl
        self.acts: list[Act] = []
        self.truth: dict[str, CopyTruth] = {}  # by nonce of the whale's fill

    def combo(self, *legs: tuple[Market, int]) -> Combo:
        """A combo of (market, outcome) legs; `buy`, `sell` and `redeem` take it like a market."""
        return Combo(legs)

    # Acts

    def buy(
        self,
        wallet: str,
        at: Time,
        what: Market | Combo,
        outcome: int,
        size: float,
        price: float,
        *,
        maker: bool = False,
        fee: float | bool = 0.0,
        received: float | None = None,
        held_by: str = "",
        tx: str = "",
    ) -> Act:
        """A purchase of a market's or combo's shares.

        `fee` in USDC, or True for what the market's schedule asks of a taker; `received` if a fee was taken in shares;
        `held_by` if the shares go to another address than the one that trades.
        """
        return self._trade(wallet, at, what, outcome, "BUY", size, price, maker, fee, received, held_by, tx)

    def sell(
        self,
        wallet: str,
        at: Time,
        what: Market | Combo,
        outcome: int,
        size: float,
        price: float,
        *,
        maker: bool = False,
        fee: float | bool = 0.0,
        held_by: str = "",
        tx: str = "",
    ) -> Act:
        """A sale; arguments as for `buy`."""
        return self._trade(wallet, at, what, outcome, "SELL", size, price, maker, fee, None, held_by, tx)

    def _trade(
        self, wallet: str, at: Time, what: Market | Combo, outcome: int, side: str, size: float, price: float,
        maker: bool, fee: float | bool, received: float | None, held_by: str, tx: str,
    ) -> Act:  # fmt: skip
        t, nonce = seconds(at), self._nonce()
        if isinstance(what, Combo):
            act = make.combo_fill(wallet, t, what, outcome, side, size, price, nonce)
        else:
            usdc = make.fee_of(what, size, price) if fee is True else float(fee)
            act = make.fill(wallet, t, what, outcome, side, size, price, nonce, fee=usdc, maker=maker, received=received)
        act = replace(act, tx=tx)
        if held_by:
            self._add(replace(act, wallet=held_by, shown=False))
            act = replace(act, applied=False)
        return self._add(act)

    def copy(self, whale: Act, size: float, price: float | None = None, *, after: int = 4, fee: float | bool = 0.0) -> Act:
        """The copier's copy of a whale fill, `after` seconds later, by default at the whale's price."""
        assert whale.market is not None, "combos cannot be copied"
        assert whale.outcome is not None
        price = whale.price if price is None else price
        act = self._trade(
            COPIER_ADDRESS, whale.at + after, whale.market, whale.outcome, whale.side, size, price, False, fee, None, "", ""
        )  # fmt: skip
        worse = round((price - whale.price) * (1 if whale.side == "BUY" else -1), 6)
        self.truth[whale.nonce] = CopyTruth(whale, act, "", self.ratio * whale.size, worse, after)
        return act

    def miss(self, whale: Act, reason: str) -> None:
        """The bot saw a whale fill and did not copy it: small, below_minimum, no_position, breaker, book_failed, unfilled,
        offline."""
        self.truth[whale.nonce] = CopyTruth(whale, None, reason, self.ratio * whale.size, None, None)

    def split(self, wallet: str, at: Time, market: Market, size: float) -> Act:
        """USDC becomes `size` shares of both outcomes."""
        return self._add(make.split(wallet, seconds(at), market, size, self._nonce()))

    def merge(self, wallet: str, at: Time, market: Market, size: float) -> Act:
        """`size` shares of both outcomes become USDC."""
        return self._add(make.merge(wallet, seconds(at), market, size, self._nonce()))

    def convert(self, wallet: str, at: Time, markets: list[Market], size: float) -> Act:
        """`size` NO of each of these markets become USDC and YES of the event's other markets."""
        return self._add(make.convert(wallet, seconds(at), markets, size, self._nonce()))

    def migrate(
        self, wallet: str, to: str, at: Time, market: Market, outcome: int, size: float, *, silent: bool = False
    ) -> Act:
        """Shares move to another address, with a row on the old one unless `silent`."""
        act = make.migrate(wallet, to, seconds(at), market, outcome, size, self._nonce())
        return self._add(replace(act, shown=not silent))

    def redeem(self, wallet: str, at: Time, what: Market | Combo, outcome: int, size: float) -> Act:
        """Shares of one outcome redeemed after settlement."""
        t, nonce = seconds(at), self._nonce()
        if isinstance(what, Combo):
            return self._add(make.combo_redeem(wallet, t, what, outcome, size, nonce))
        return self._add(redeem(wallet, t, what, outcome, size, nonce))

    def redeem_both(self, wallet: str, at: Time, market: Market, yes: float, no: float) -> Act:
        """Shares of both outcomes redeemed in one row."""
        return self._add(make.redeem_both(wallet, seconds(at), market, (yes, no), self._nonce()))

    def pay(self, wallet: str, at: Time, kind: str, usdc: float) -> Act:
        """A row without a market: REWARD, MAKER_REBATE, TAKER_REBATE, TIP or any other type."""
        return self._add(make.payment(wallet, seconds(at), kind, usdc, self._nonce()))

    def losers(self, wallet: str, at: Time, count: int, size: float = 10.0, price: float = 0.5) -> list[Market]:
        """Positions in markets that lost an hour later and are never redeemed, in events of up to 100 markets."""
        t = seconds(at)
        markets: list[Market] = []
        while len(markets) < count:
            names = [f"no {n}" for n in range(min(100, count - len(markets)))]
            prices = dict.fromkeys(names, price)
            lost = self.event(f"Lost {len(markets)}", prices, settles_at=t + 3600, payout=0.0, listed_at=t, neg_risk=False)
            for market in lost:
                self.buy(wallet, t, market, YES, size, price)
            markets += lost
        return markets

    def repeat(self, act: Act) -> None:
        """Serve an act's row once more, word for word; it is applied once."""
        self._add(replace(act, applied=False))

    def _nonce(self) -> str:
        return f"script {len(self.acts)}"

    def _add(self, act: Act) -> Act:
        if act.at < FIRST_DAY * DAY:
            raise ValueError("the exchange begins on 2026-06-01; acts must not be earlier")
        self.acts.append(act)
        return act
