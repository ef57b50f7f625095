"""Check that the bot hears the whale: its log against the whale's fills.

A bot that listens to a retired exchange contract, or that is stopped, raises no error: it is only silent.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from polypipe.bot.grammar import parse_line
from polypipe.bot.logs import TRADE_LOG
from polypipe.doctor.bot_program import CURRENT, OF_V2_MARKETS, Named, judge_contracts, sentence
from polypipe.doctor.inputs import Facts
from polypipe.doctor.result import Result, error, ok, skipped, unknown, warning
from polypipe.polymarket import Activity
from polypipe.text import count, duration
from polypipe.warehouse.connection import literal

TAIL_BYTES = 4 << 20
LAG = timedelta(minutes=10)
"""A fill is logged within a minute; younger ones are not waited for."""

LEAST_FILLS = 5
"""Below so many fills silence says nothing."""


@dataclass
class Heard:
    """The end of the bot's log: when its lines are from, and the transactions they are about."""

    first: datetime | None = None
    last: datetime | None = None
    transactions: set[str] = field(default_factory=set)


def check_hearing(facts: Facts) -> Result:
    """Whether the bot hears the whale's fills."""
    whale, named = facts.settings.whale_address, facts.bot_program
    if whale is None:
        return judge_contracts(named) or skipped("bot hears the whale", "no whale is set")
    log = facts.settings.bot_dir / TRADE_LOG.file
    try:
        heard = read_tail(log)
    except FileNotFoundError:
        heard = None
    answer = facts.network.wallets[whale].activity if whale in facts.network.wallets else None
    fills = [fill for fill in (answer.value if answer else None) or () if fill.type == "TRADE"]
    if answer is None or answer.value is None:
        return judge_contracts(named) or unknown("bot hears the whale", "the whale's fills cannot be read")
    tokens = {fill.asset for fill in fills if fill.asset}
    try:
        versions = market_versions(facts, tokens) if heard and tokens and facts.any_data else {}
    except Exception:
        # The tables may be broken in any way, which other checks tell: a silent bot must be told all the same.
        versions = {}
    return judge_hearing(fills, heard, versions, named, facts.now, log)


def read_tail(path: Path) -> Heard:
    """The last megabytes of the trade log; torn and strange lines do not count. Raises `FileNotFoundError`."""
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


def market_versions(facts: Facts, tokens: Iterable[str]) -> dict[str, str]:
    """Token -> version of its market, where the stored universe knows it."""
    wanted = ", ".join(literal(token) for token in tokens)
    with facts.warehouse.read() as con:
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
) -> Result:
    """The log decides where it can: a bot that hears the whale is right whatever its files say."""
    name = "bot hears the whale"
    due = [fill for fill in fills if fill.timestamp < now - LAG]
    if heard is None or heard.last is None or heard.first is None:
        if (contracts := judge_contracts(named)) is not None:
            return contracts
        what = f"there is no {log}" if heard is None else f"{log} has no line yet"
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
            "is the bot running, connected, and set to this whale? If so it may listen to retired exchange contracts: "
            f"MONITORED_ADDRESSES in its settings.rs must have those of {sentence(CURRENT | OF_V2_MARKETS)}"
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
        return ok(name, f"{newest}; no fill of the whale to compare it with")
    finding = f"{len(found)} of the whale's last {count(len(within), 'fill')} are in the bot's log; {newest}"
    if len(within) >= 2 * LEAST_FILLS and len(found) < len(within) / 2:
        return warning(name, finding, "does the bot lose its connection, or follow another wallet?")
    return ok(name, finding)
