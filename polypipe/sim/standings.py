"""The PnL series of `/user-pnl`, and the leaderboard."""

import struct
from dataclasses import dataclass

from polypipe.sim.answers import RefusedError
from polypipe.sim.ledger import Ledger
from polypipe.sim.model import digest, rng
from polypipe.sim.wallets import NAMES

INTERVALS = {"max": None, "all": None, "1m": 720, "1w": 168, "1d": 24, "12h": 12, "6h": 6}  # hours
FIDELITIES = {"1d": 24, "18h": 18, "12h": 12, "3h": 3, "1h": 1}  # hours
PERIODS = {"DAY": 24, "WEEK": 168, "MONTH": 720, "ALL": None}
_RIVALS = 60


def float32(x: float) -> float:
    """The shortest decimal of the number in single precision, as the server sends it: 6 to 9 significant digits."""
    single = struct.unpack("f", struct.pack("f", x))[0]
    for digits in range(6, 10):
        short = float(f"{single:.{digits}g}")
        if struct.pack("f", short) == struct.pack("f", single):
            return short
    return float(single)


def pnl_points(ledger: Ledger, wallet: str, interval: str, fidelity: str, now: float) -> list[dict[str, float]]:
    """Cumulative trading PnL: `t` in epoch seconds, `p` in USDC with single precision; empty for an unknown wallet.

    One point per step of the UTC grid within the interval. The newest point is the current full hour, which is off the
    grid if the step is longer than an hour.
    """
    for name, value, known in (("interval", interval, INTERVALS), ("fidelity", fidelity, FIDELITIES)):
        if value not in known:
            allowed = ", ".join(known)
            raise RefusedError(400, {"error": f"invalid filters: '{name}' must be one of: {allowed}"})
    step, span = FIDELITIES[fidelity], INTERVALS[interval]
    hours = list(ledger.hours(wallet, now))
    if span is not None:
        hours = hours[-span:]
    newest = hours[-1:]
    points = [h for h in hours[:-1] if h[0] % (step * 3600) == 0] + newest
    return [{"t": t, "p": float32(p)} for t, p in points]


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of the leaderboard; PnL and traded volume in USDC."""

    wallet: str
    name: str
    pnl: float
    volume: float


def standing(ledger: Ledger, wallet: str, period: str, now: float) -> Standing | None:
    """PnL and volume of a wallet over a period ending now; None if it never traded."""
    span = PERIODS[period]
    hours = list(ledger.hours(wallet, now))
    if not hours:
        return None
    first = 0.0 if span is None or len(hours) <= span else hours[-1 - span][1]
    since = 0.0 if span is None else now - span * 3600
    volume = sum(a.usdc for a in ledger.history(wallet, now) if a.kind == "TRADE" and a.at > since)
    return Standing(wallet, NAMES.get(wallet, ""), hours[-1][1] - first, round(volume, 6))


def board(ledger: Ledger, period: str, now: float, by_volume: bool = False) -> list[Standing]:
    """All standings, best first: the wallets and made-up rivals that have nothing else."""
    rows = [s for w in ledger.wallets if (s := standing(ledger, w, period, now)) is not None]
    for n in range(_RIVALS):
        r = rng(ledger.world.seed, "rival", n, period)
        wallet = f"0x{digest('rival', n)[:40]}"
        name = "" if n % 9 == 8 else f"trader{n:02d}"  # some real names are blank
        rows.append(Standing(wallet, name, round(r.uniform(-5, 9) ** 5, 6), round(r.uniform(1, 40) ** 4, 6)))
    return sorted(rows, key=lambda s: -(s.volume if by_volume else s.pnl))
