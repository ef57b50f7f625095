"""Checks of the contract with the Data API and user-pnl, on answers about one wallet."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from polypipe.doctor.answers import Answer, Network
from polypipe.doctor.hosts import DRIFTED, LATER, failed
from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, error, ok, skipped, warning
from polypipe.text import count, duration

PNL_FRESH = timedelta(hours=2)


def check_data(inputs: Inputs) -> Iterator[Result]:
    """Value, standing, positions and activity of one wallet are as expected."""
    network = inputs.network
    if network.probed.value is None:
        yield failed("data fields", network.probed, network.offline)
        return
    heard = network.wallets[network.probed.value]
    answers: dict[str, Answer[Any]] = {
        "/value": network.value,
        "/v1/leaderboard": heard.standing,
        "/positions": network.positions,
        "/activity": heard.activity,
    }
    broken = [(path, answer) for path, answer in answers.items() if answer.error is not None]
    if broken:
        for path, answer in broken:
            yield failed(f"data {path}", answer, network.offline)
        return
    yield judge_data(network)


def judge_data(network: Network) -> Result:
    """Required fields are present; their types were checked when decoding."""
    heard = network.wallets[network.probed.value or ""]
    fills = [activity for activity in heard.activity.value or () if activity.type == "TRADE"]
    positions = network.positions.value or ()
    faults = []
    if any(fill.asset is None or fill.side is None or not fill.size or not fill.price for fill in fills):
        faults.append("/activity has fills without asset, side, size or price")
    if any(not fill.transaction_hash for fill in fills):
        faults.append("/activity has fills without transactionHash: the bot's log cannot be matched")
    if fills and network.value.value is None:
        faults.append("/value has no value for a wallet that trades")
    if any(position.cur_price is None for position in positions):
        faults.append("/positions has rows without curPrice")
    profile = heard.standing.value
    if profile is not None and (profile.pnl is None or profile.volume is None):
        faults.append("/v1/leaderboard has no pnl or no vol")
    looked = f"{count(len(fills), 'fill')}, {count(len(positions), 'position')} checked"
    if faults:
        return error("data fields", f"{looked}; {faults[0]}", DRIFTED, faults[1:])
    return ok("data fields", f"{looked}: all fields are present, with the right types")


def check_pnl(inputs: Inputs) -> Result:
    """The hourly PnL points of one day are as expected."""
    network = inputs.network
    if network.pnl.value is None:
        return failed("user-pnl points", network.pnl, network.offline)
    heard = network.wallets.get(network.probed.value or "")
    trades = bool(heard and heard.activity.value)
    return judge_pnl([point.t for point in network.pnl.value], trades, inputs.now)


def judge_pnl(times: Sequence[datetime], trades: bool, now: datetime) -> Result:
    """A wallet that trades has hourly points, the newest at most two hours old."""
    if not times:
        if not trades:
            return skipped("user-pnl points", "no points: the wallet has never traded")
        return error("user-pnl points", "no points for a wallet that trades", DRIFTED)
    age = now - max(times)
    finding = f"{count(len(times), 'hourly point')} of the last day, the newest {duration(age)} old"
    if age > PNL_FRESH:
        return warning("user-pnl points", finding, "PnL is unknown until newer points arrive; " + LATER)
    return ok("user-pnl points", finding)
