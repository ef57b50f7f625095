"""Loads the hourly PnL of both wallets over a range of days into table `wallet_pnl`, in one pass."""

# ruff: noqa: S608 -- values are written as literals

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from polypipe.clock import Clock, utc_now
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PnlHistory, PolymarketHttp, answer_age, fetch_pnl_history
from polypipe.polymarket.user_pnl import STEPS
from polypipe.polymarket.wallet_models import Fidelity
from polypipe.wallets import Wallets
from polypipe.warehouse import Upsert, Warehouse
from polypipe.warehouse.connection import literal
from polypipe.warehouse.rows import WalletPnlRow

JUST_AFTER = timedelta(seconds=1)


@dataclass(frozen=True)
class LoadedPnl:
    """The PnL of a range of days. `points` counts by wallet and UTC day; the closing point of the range counts for the
    day that it begins. `kept` counts stored points that are finer than those of the API.

    `waiting` says why the rows are still in the spool; None when they are merged.
    """

    histories: tuple[PnlHistory, ...]
    points: Mapping[str, Mapping[date, int]]
    kept: int
    waiting: str | None


def load_pnl(
    polymarket: Polymarket,
    warehouse: Warehouse,
    wallets: Wallets,
    start: datetime,
    end: datetime,
    clock: Clock = utc_now,
) -> LoadedPnl:
    """Read and store the points of [start, end]. The end is included because a day's change needs its closing point.

    Takes at most four requests. A wallet without points is not an error: it may not have existed yet. Raises
    `PolymarketError` or `BatchRejected` with nothing stored.
    """
    now = clock()

    async def work(http: PolymarketHttp) -> tuple[tuple[PnlHistory, ...], timedelta]:
        asked = (fetch_pnl_history(http, who, start, end + JUST_AFTER, now=now) for who in (wallets.copier, wallets.whale))
        with answer_age() as age:
            histories = tuple(await asyncio.gather(*asked))
        return histories, age.length

    histories, age = polymarket.run(work)
    fetched_at = now - age
    coarse = any(point.fidelity != "1h" for history in histories for point in history.points)
    finest = _stored(warehouse, wallets, start, end) if coarse else {}
    rows: list[WalletPnlRow] = []
    kept = 0
    for history in histories:
        for point in history.points:
            stored = finest.get((history.wallet, point.t))
            if stored is not None and STEPS[stored] < STEPS[point.fidelity]:
                kept += 1  # the API thins out its past; keep the points that were read hourly
                continue
            rows.append(
                {"wallet": history.wallet, "t": point.t, "p": point.p, "fidelity": point.fidelity, "fetched_at": fetched_at}
            )
    with warehouse.batch("wallet_pnl") as batch:
        batch.add("wallet_pnl", rows)
        batch_id = batch.commit({"wallet_pnl": Upsert(("wallet", "t"))})
    points = {history.wallet: Counter(point.t.date() for point in history.points) for history in histories}
    return LoadedPnl(histories, points, kept, warehouse.store(batch_id))


def _stored(warehouse: Warehouse, wallets: Wallets, start: datetime, end: datetime) -> dict[tuple[str, datetime], Fidelity]:
    """The fidelity of each stored point of the range."""
    with warehouse.read() as con:
        rows = con.execute(
            "SELECT wallet, t, fidelity FROM wallet_pnl "
            f"WHERE wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)}) "
            f"AND t BETWEEN {literal(start)} AND {literal(end)}"
        ).fetchall()
    return {(wallet, t.astimezone(UTC)): fidelity for wallet, t, fidelity in rows}
