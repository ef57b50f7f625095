"""The bot's log of a world, in the words of the classic bot."""

from datetime import UTC, datetime

from polypipe_tests.truth.world import WhaleFill, World

HEADER = (
    "timestamp,block,clob_asset_id,usd_value,shares,price_per_share,direction,order_status,"
    "best_price,best_size,second_price,second_size,tx_hash,is_live"
)


def log_lines(world: World, until: float) -> list[str]:
    """The header and the lines written by `until`."""
    seen = sorted((fill.logged_at, n) for n, fill in enumerate(world.fills) if fill.log and fill.logged_at <= until)
    return [HEADER, *(_line(world.fills[n], logged_at) for logged_at, n in seen)]


def _line(fill: WhaleFill, logged_at: float) -> str:
    act = fill.act
    assert act.market is not None
    live = act.market.begins <= act.t < act.market.ends
    best, size = min(max(act.price, 0.01), 0.98), 50 + act.shares / 2
    return ",".join(
        (
            datetime.fromtimestamp(logged_at, UTC).replace(tzinfo=None).isoformat(" ", "milliseconds"),
            str(40_000_000 + act.t // 2),
            act.market.tokens[act.outcome],
            f"{act.usd:.2f}",
            f"{act.shares:.6f}",
            f"{act.price:.4f}",
            "BUY_FILL" if act.sign > 0 else "SELL_FILL",
            fill.log.replace(",", ";"),
            f'"{best:.2f}"',
            f'"{size:.2f}"',
            f'"{best + 0.01:.2f}"',
            f'"{2 * size:.2f}"',
            act.tx,
            "true" if live else "false",
        )
    )
