"""Asset checks of history: what is stored now, whoever wrote it. They only report.

`recent` looks at the newest day that must be there, which the freshness of an asset does not: to that, a backfill of
old days is as good.
"""

# ruff: noqa: S608 -- values are written as literals

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import dagster as dg

from polypipe.history.assets import COPY_QUALITY, WALLET_ACTIVITY, WALLET_PNL
from polypipe.history.copy_quality import reasons_of
from polypipe.orchestration.checks import check_result
from polypipe.settings import Settings
from polypipe.text import utc_text
from polypipe.warehouse import Warehouse
from polypipe.warehouse.connection import literal

GRACE = timedelta(hours=2)
"""After midnight, before yesterday must be there."""

LOOK_BACK = timedelta(days=30)


def due_day(now: datetime) -> datetime:
    """The midnight at which the newest day begins that must be there."""
    return datetime.combine((now - GRACE).date() - timedelta(days=1), time(), UTC)


def _both(settings: Settings) -> list[tuple[str, str]]:
    """Who and address; empty without wallets."""
    wallets = settings.wallets
    return [] if wallets is None else [("copier", wallets.copier), ("whale", wallets.whale)]


@dg.multi_asset_check(
    name="wallet_pnl_checks",
    specs=[
        dg.AssetCheckSpec("recent", asset=WALLET_PNL, description="Both wallets have points up to the end of yesterday."),
        dg.AssetCheckSpec(
            "hourly", asset=WALLET_PNL, description="No hour is missing in the last 30 days that are stored."
        ),
    ],
)
def pnl_checks(
    settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.AssetCheckResult]:
    """Judge the points of both wallets."""
    needed = due_day(datetime.now(UTC)) + timedelta(days=1)
    late, holes = [], []
    with warehouse.read() as con:
        for who, address in _both(settings):
            newest, points, hours = con.execute(
                "SELECT max(t), count(*), date_diff('hour', min(t), max(t)) + 1 FROM wallet_pnl "
                f"WHERE wallet = {literal(address)} AND t >= {literal(needed - LOOK_BACK)}"
            ).fetchall()[0]
            if newest is None or newest < needed:
                late.append(f"the newest point of the {who} is {_minute(newest)}, {_minute(needed)} is needed")
            if hours is not None and points < hours:
                holes.append(f"{who}: {hours - points} of {hours} hours have no point")
    if not _both(settings):
        late = holes = [settings.wallets_missing]
    yield check_result("recent", not late, "; ".join(late) or f"up to {_minute(needed)} or later", error=True)
    yield check_result("hourly", not holes, "; ".join(holes) or "a point in every hour")


@dg.multi_asset_check(
    name="wallet_activity_checks",
    specs=[
        dg.AssetCheckSpec("recent", asset=WALLET_ACTIVITY, description="Yesterday is known completely for both wallets."),
        dg.AssetCheckSpec("unique", asset=WALLET_ACTIVITY, description="No activity is stored twice."),
        dg.AssetCheckSpec("counted", asset=WALLET_ACTIVITY, description="Each day has as many rows as were read."),
    ],
)
def activity_checks(
    settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.AssetCheckResult]:
    """Judge the activity of the last 30 days."""
    needed = due_day(datetime.now(UTC))
    since = literal(needed - LOOK_BACK)
    with warehouse.read() as con:
        known = {
            wallet
            for (wallet,) in con.execute(f"SELECT wallet FROM activity_days WHERE day = {literal(needed)}").fetchall()
        }
        twice = con.execute(
            f"SELECT count(*) - count(DISTINCT key) FROM wallet_activity WHERE timestamp >= {since}"
        ).fetchall()[0][0]
        wrong = con.execute(
            "SELECT d.day, d.activities, count(a.key) FROM activity_days AS d "
            "LEFT JOIN wallet_activity AS a ON a.wallet = d.wallet AND a.day = CAST(d.day AS DATE) "
            f"WHERE d.day >= {since} GROUP BY d.wallet, d.day, d.activities "
            "HAVING d.activities <> count(a.key) ORDER BY d.day"
        ).fetchall()
    missing = [who for who, address in _both(settings) if address not in known]
    if not _both(settings):
        missing = [settings.wallets_missing]
    text = f"{needed:%Y-%m-%d} is not known: {', '.join(missing)}" if missing else f"{needed:%Y-%m-%d} is known"
    yield check_result("recent", not missing, text, error=True)
    yield check_result("unique", twice == 0, f"{twice} rows too many", error=True, rows=twice)
    differ = [f"{day:%Y-%m-%d}: {stored} rows, {read} were read" for day, read, stored in wrong]
    yield check_result("counted", not differ, "; ".join(differ[:5]) or "all days as read", error=True, days=len(differ))


@dg.multi_asset_check(
    name="copy_quality_daily_checks",
    specs=[
        dg.AssetCheckSpec("recent", asset=COPY_QUALITY, description="Yesterday is computed."),
        dg.AssetCheckSpec("known", asset=COPY_QUALITY, description="The gap of the newest day is known."),
    ],
)
def quality_checks(
    settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.AssetCheckResult]:
    """Judge the newest day of these wallets."""
    needed = due_day(datetime.now(UTC))
    addresses = dict(_both(settings))
    with warehouse.read() as con:
        newest = con.execute(
            "SELECT day, gap, reasons FROM copy_quality_daily WHERE window_days = 1 "
            f"AND user1_address = {literal(addresses.get('copier'))} AND user2_address = {literal(addresses.get('whale'))} "
            "ORDER BY day DESC LIMIT 1"
        ).fetchone()
    if newest is None:
        text = "no day was ever computed" if settings.wallets else settings.wallets_missing
        yield check_result("recent", False, text, error=True)
        yield check_result("known", False, text)
        return
    day, gap, reasons = newest
    yield check_result(
        "recent", day >= needed, f"the newest day is {day:%Y-%m-%d}, {needed:%Y-%m-%d} is needed", error=True
    )
    why = reasons_of({"reasons": reasons}).get("gap")
    yield check_result("known", gap is not None, f"{day:%Y-%m-%d}: {why}" if why else f"{day:%Y-%m-%d}: ${gap:,.2f}")


def _minute(moment: datetime | None) -> str:
    return "none" if moment is None else utc_text(moment)


history_checks = [pnl_checks, activity_checks, quality_checks]
