"""Check that the bot sees the whale's fills: its log against the Data API.

A bot that listens to a retired exchange contract, or is stopped, raises no error and logs nothing.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from polypipe.bot.grammar import parse_line
from polypipe.bot.logs import TRADE_LOG
from polypipe.bot_profile import CLASSIC, BotProfile
from polypipe.doctor.bot_program import CURRENT, OF_V2_MARKETS, Named, judge_contracts, sentence
from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, error, ok, skipped, unknown, warning
from polypipe.polymarket import Activity
from polypipe.text import count, duration
from polypipe.warehouse.connection import literal

TAIL_BYTES = 4 << 20
LAG = timedelta(minutes=10)
"""The bot logs a fill within a minute; younger fills are not expected yet."""

LEAST_FILLS = 5
"""Silence over fewer fills proves nothing."""


@dataclass
class Heard:
    """The end of the bot's log: times of its first and last line, and its transactions."""

    first: datetime | None = None
    last: datetime | None = None
    transactions: set[str] = field(default_factory=set)


def check_hearing(inputs: Inputs) -> Result:
    """The bot sees the whale's fills."""
    whale, named = inputs.settings.whale_address, inputs.bot_program
    if whale is None:
        return judge_contracts(named) or skipped("bot hears the whale", "no whale is set")
    log = inputs.settings.bot_dir / TRADE_LOG.file
    try:
        heard = read_tail(log)
    except FileNotFoundError:
        heard = None
    answer = inputs.network.wallets[whale].activity if whale in inputs.network.wallets else None
    fills = [fill for fill in (answer.value if answer else None) or () if fill.type == "TRADE"]
    if answer is None or answer.value is None:
        return judge_contracts(named) or unknown("bot hears the whale", "cannot read the whale's fills")
    tokens = {fill.asset for fill in fills if fill.asset}
    try:
        versions = market_versions(inputs, tokens) if heard and tokens and inputs.any_data else {}
    except Exception:
        # Of any kind: other checks report broken tables, and a silent bot must be reported even then.
        versions = {}
    return judge_hearing(fills, heard, versions, named, inputs.now, log, inputs.settings.bot_profile)


def read_tail(path: Path) -> Heard:
    """The last megabytes of the trade log, without torn and unknown lines. Raises `FileNotFoundError`."""
    heard = Heard()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - TAIL_BYTES))
        lines = file.read(TAIL_BYTES).decode("utf-8", "replace").split("\n")
    for line in lines[1 if size > TAIL_BYTES else 0 : -1]:
        row = parse_line(line)
        if row.logged_at is None:
            continue
        heard.first = min(heard.first or row.logged_at, row.logged_at)
        heard.last = max(heard.last or row.logged_at, row.logged_at)
        if row.tx_hash:
            heard.transactions.add(row.tx_hash.lower())
    return heard


def market_versions(inputs: Inputs, tokens: Iterable[str]) -> dict[str, str]:
    """Market versions by token, for tokens in the stored universe."""
    wanted = ", ".join(literal(token) for token in tokens)
    with inputs.warehouse.read() as con:
        return dict(
            con.execute(
                f"SELECT token_id, version FROM tokens JOIN markets USING (market_id) WHERE token_id IN ({wanted})"  # noqa: S608
            ).fetchall()
        )


def judge_hearing(
    fills: Sequence[Activity],
    heard: Heard | None,
    versions: Mapping[str, str],
    named: Named,
    now: datetime,
    log: Path,
    bot: BotProfile = CLASSIC,
) -> Result:
    """The log decides if it can: a bot that sees the whale's fills is fine whatever its files contain."""
    name = "bot hears the whale"
    due = [fill for fill in fills if fill.timestamp < now - LAG]
    if heard is None or heard.last is None or heard.first is None:
        if (contracts := judge_contracts(named)) is not None:
            return contracts
        what = f"{log} does not exist" if heard is None else f"{log} has no lines yet"
        return skipped(name, what, "set POLYPIPE_BOT_DIR to where the bot runs" if heard is None else "")
    since = [fill for fill in due if fill.timestamp > heard.last]
    if len(since) >= LEAST_FILLS:
        more = " or more" if len(since) == len(fills) else ""
        newest = duration(now - max(fill.timestamp for fill in since))
        what = (
            f"the bot has logged nothing for {duration(now - heard.last)}; "
            f"meanwhile the whale had {len(since)}{more} fills, the newest {newest} ago"
        )
        contracts = judge_contracts(named)
        if contracts is not None:
            return error(name, f"{what}; {contracts.finding}", contracts.advice, contracts.details)
        advice = (
            "check that the bot runs, is connected and follows this whale. If so, it may listen to retired contracts: "
            f"{bot.contracts} must contain {sentence(CURRENT | OF_V2_MARKETS)}"
        )
        return error(name, what, advice)
    within = [fill for fill in due if heard.first <= fill.timestamp <= heard.last]
    found = [fill for fill in within if fill.transaction_hash.lower() in heard.transactions]
    for version in sorted(set(versions.values())):
        total, present = (sum(versions.get(fill.asset or "") == version for fill in among) for among in (within, found))
        if total >= LEAST_FILLS and not present and found:
            return error(
                name,
                f"none of the whale's {total} fills on {version} markets is in the bot's log, others are",
                f"the bot does not listen to the exchange of {version} markets: update it ({sentence(OF_V2_MARKETS)})",
            )
    newest = f"newest line {duration(now - heard.last)} old"
    if not within:
        return ok(name, f"{newest}; no fills of the whale to compare with")
    finding = f"{len(found)} of the whale's last {count(len(within), 'fill')} are in the bot's log; {newest}"
    if len(within) >= 2 * LEAST_FILLS and len(found) < len(within) / 2:
        return warning(name, finding, "check whether the bot loses its connection or follows another wallet")
    return ok(name, finding)
