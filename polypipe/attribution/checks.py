"""Asset checks of attribution: what is stored now, whoever wrote it. They only report."""

# ruff: noqa: S608 -- values are written as literals

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from polypipe.attribution.assets import COPY_FILLS, GAP_ATTRIBUTION
from polypipe.attribution.parts import PARTS
from polypipe.history.checks import LOOK_BACK, due_day
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

EXACT_USD = 1e-6


@dg.asset_check(
    name="counted", asset=COPY_FILLS, description="Each fill of the whale is there once, on the days that are computed."
)
def fills_counted(settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Compare the last 30 days with the activity they were made of."""
    with warehouse.read() as con:
        wrong = miscounted(con, due_day(datetime.now(UTC)) - LOOK_BACK)
    text = "; ".join(f"{day}: {fills} rows, {keys} fills, {traded} traded" for day, fills, keys, traded in wrong[:5])
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,  # activity that was read again after it was matched heals with the next run
        description=text or "every fill once",
        metadata={"days": len(wrong)},
    )


def miscounted(con: "duckdb.DuckDBPyConnection", since: datetime) -> list[tuple[str, int, int, int]]:
    """(day, rows, fills among them, trades of the whale) of the days from `since` on, of each pair of wallets, where these
    three are not one number."""
    return con.execute(
        "WITH matched AS (SELECT date_trunc('day', timestamp) AS day, user1_address, user2_address AS wallet, "
        "count(*) AS fills, count(DISTINCT key) AS keys FROM copy_fills "
        f"WHERE status <> 'own' AND timestamp >= {literal(since)} GROUP BY ALL), "
        "traded AS (SELECT date_trunc('day', timestamp) AS day, wallet, count(*) AS fills FROM wallet_activity "
        "WHERE type = 'TRADE' AND asset IS NOT NULL AND side IS NOT NULL AND size > 0 AND price > 0 "
        f"AND timestamp >= {literal(since)} GROUP BY ALL) "
        "SELECT strftime(day, '%Y-%m-%d'), matched.fills, keys, coalesce(traded.fills, 0) FROM matched "
        "LEFT JOIN traded USING (day, wallet) "
        "WHERE matched.fills <> coalesce(traded.fills, 0) OR matched.fills <> keys ORDER BY day, user1_address"
    ).fetchall()


@dg.multi_asset_check(
    name="gap_attribution_checks",
    specs=[
        dg.AssetCheckSpec("recent", asset=GAP_ATTRIBUTION, description="Yesterday is computed."),
        dg.AssetCheckSpec("sums", asset=GAP_ATTRIBUTION, description="The parts of every day sum to its gap."),
    ],
)
def gap_checks(
    settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.AssetCheckResult]:
    """Judge the rows of these wallets."""
    needed = due_day(datetime.now(UTC))
    wallets = settings.wallets
    if wallets is None:
        newest, wrong = None, []
    else:
        of_these = f"user1_address = {literal(wallets.copier)} AND user2_address = {literal(wallets.whale)}"
        with warehouse.read() as con:
            ((newest,),) = con.execute(
                f"SELECT strftime(max(day), '%Y-%m-%d') FROM gap_attribution WHERE {of_these}"
            ).fetchall()
            wrong = con.execute(
                f"SELECT strftime(day, '%Y-%m-%d'), {' + '.join(PARTS)} + unexplained - gap AS too_much "
                f"FROM gap_attribution WHERE {of_these} AND abs(too_much) > {literal(EXACT_USD)} ORDER BY day"
            ).fetchall()
    text = f"the newest day is {newest or 'none'}, {needed:%Y-%m-%d} is needed"
    yield dg.AssetCheckResult(
        check_name="recent",
        passed=newest is not None and newest >= f"{needed:%Y-%m-%d}",
        severity=dg.AssetCheckSeverity.ERROR,
        description=settings.wallets_missing if wallets is None else text,
    )
    yield dg.AssetCheckResult(
        check_name="sums",
        passed=not wrong,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(f"{day}: ${usd:,.6f} too much" for day, usd in wrong[:5]) or "every day sums to its gap",
        metadata={"days": len(wrong)},
    )


attribution_checks = [fills_counted, gap_checks]
