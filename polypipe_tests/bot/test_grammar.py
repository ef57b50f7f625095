"""The grammar of the bot's logs: a corpus of real lines, and properties of any text."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.bot import own_fills
from polypipe.bot.grammar import parse_line
from polypipe.bot.order_status import OUTCOMES
from polypipe.bot.values import plain_text
from polypipe.polymarket.wallet_wire import read_activity
from polypipe.warehouse.tables import row_decoder
from polypipe_tests.bot.corpus import STATUSES, TOKEN, TX, fork, line, my

SIDES = {"BUY": "BUY_FILL", "SELL": "SELL_FILL"}


def fields_of(row, expected):
    return {name: getattr(row, name) for name in expected}


@pytest.mark.parametrize(("status", "side", "expected"), STATUSES)
def test_known_status_sets_the_expected_fields(status, side, expected):
    row = parse_line(line(status, direction=SIDES[side]))
    assert fields_of(row, expected) == expected
    assert row.problems is None
    assert row.outcome in OUTCOMES


def test_corpus_has_every_outcome():
    assert len(STATUSES) >= 60
    assert {expected["outcome"] for _, _, expected in STATUSES if "outcome" in expected} == set(OUTCOMES)


def test_line_sets_every_other_column():
    row = parse_line(line())
    assert (row.logged_at.isoformat(), row.block, row.token_id, row.side) == (
        "2026-11-20T12:34:56.789000+00:00",
        64123456,
        TOKEN,
        "BUY",
    )
    assert (row.whale_usd, row.whale_shares, row.whale_price) == (612.0, 1200.0, 0.51)
    assert (row.best_price, row.best_size, row.second_price, row.second_size) == (0.53, 150.0, 0.54, 90.5)
    assert (row.tx_hash, row.is_live, row.problems, row.raw) == (TX, False, None, line())


@pytest.mark.parametrize(
    ("change", "column", "value"),
    [
        ({"block": "MEMPOOL"}, "block", None),
        ({"block": "0"}, "block", None),
        ({"live": "true"}, "is_live", True),
        ({"tx": ""}, "tx_hash", None),
        ({"direction": "SELL"}, "side", "SELL"),
        ({"time": "2026-11-20 12:34:56"}, "problems", None),
        ({"book": "0.53,150,N/A,N/A"}, "best_price", 0.53),
        ({"book": "N/A,N/A,N/A,N/A"}, "best_price", None),
        ({"book": '"0.53","150",N/A,N/A'}, "second_size", None),
    ],
)
def test_alternative_notations_are_read_without_problems(change, column, value):
    row = parse_line(line(**change))
    assert getattr(row, column) == value
    assert row.problems is None


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"time": "2026-13-20 12:34:56.789"}, "timestamp"),
        ({"time": "20261120T123456+0000"}, "timestamp"),
        ({"block": "-4"}, "block"),
        ({"token": "0x12"}, "clob_asset_id"),
        ({"token": "1" * 79}, "clob_asset_id"),
        ({"token": "٣"}, "clob_asset_id"),
        ({"usd": "NaN"}, "usd_value"),
        ({"shares": "inf"}, "shares"),
        ({"price": "1_0"}, "price_per_share"),
        ({"direction": "HOLD"}, "direction"),
        ({"book": '"x",1,1,1'}, "best_price"),
        ({"book": '1,",1,1'}, "best_size"),
        ({"tx": "0x12"}, "tx_hash"),
        ({"live": "maybe"}, "is_live"),
    ],
)
def test_unreadable_value_is_null_and_named(change, column):
    row = parse_line(line(**change))
    assert row.problems == column
    assert row.outcome == "MOCK_ONLY"


def test_torn_line_is_an_unknown_row():
    row = parse_line(line()[:60])
    assert (row.outcome, row.problems, row.raw) == ("UNKNOWN", "columns", line()[:60])
    assert row.logged_at is not None


def test_commas_in_the_status_do_not_shift_the_columns():
    row = parse_line(line("EXEC_FAIL: a, b, c | chain: d"))
    assert (row.outcome, row.reason, row.best_price, row.tx_hash) == ("EXEC_FAIL", "a, b, c | chain: d", 0.53, TX)


def test_line_with_unknown_columns_is_an_unknown_row():
    for raw in (line() + ",7", line("CB_BLOCKED:TRAP") + ",7", line().rsplit(",", 1)[0]):
        row = parse_line(raw)
        assert (row.outcome, row.problems, row.tx_hash, row.best_price) == ("UNKNOWN", "columns", None, None)


def test_carriage_return_at_the_end_is_ignored():
    assert parse_line(line() + "\r").problems is None


def split_into_bytes(text):
    """The text after the bot's comma replacement: each byte becomes a character."""
    return text.replace(",", ";").encode().decode("latin-1")


@given(st.text())
def test_letters_split_into_bytes_are_repaired(text):
    text = text.replace("\x1b", "").replace(",", ";")
    assert plain_text(split_into_bytes(text)) in (text, plain_text(text))


@given(st.text(alphabet="abcéüñ漢字⚡ "))
def test_intact_letters_are_not_changed(text):
    assert plain_text(text) == text


amounts = st.decimals(min_value=0, max_value=10**9, places=2, allow_nan=False).map(lambda d: f"{d:.2f}")
prices = st.integers(1, 99).map(lambda cents: f"{cents / 100:.2f}")


@given(amounts, prices, amounts, prices, st.none() | st.integers(0, 99), st.booleans(), amounts, amounts)
def test_written_order_parses_to_its_numbers(requested, limit, whale, at, percent, underfilled, filled, rest):
    scaling = "SCALED" if percent is None else f"PROB_HIT ({percent}%)"
    status = f"200 OK [{scaling}] | {my(requested, limit, whale, at)}"
    if underfilled:
        status += f" | \x1b[33mUNDERFILL: {filled}/{requested} filled; resubmit {rest}\x1b[0m"
    row = parse_line(line(status))
    assert (row.outcome, row.requested_shares, row.limit_price) == ("SENT", float(requested), float(limit))
    assert (row.copied_whale_shares, row.copied_whale_price) == (float(whale), float(at))
    assert row.scaling_percent == percent
    assert row.resubmitted is underfilled
    assert row.filled_shares == (float(filled) if underfilled else None)
    assert row.resubmit_shares == (float(rest) if underfilled else None)


@given(amounts, amounts, prices)
def test_written_purchase_of_the_fork_parses_to_its_numbers(filled, requested, at):
    row = parse_line(line(f"200 OK [SCALED] | {fork(filled, requested, at)}"))
    assert (row.requested_shares, row.fill_price) == (float(requested), float(at))
    if filled == requested:
        assert (row.fill_state, row.filled_shares) == ("ASSUMED_FULL", None)
    else:
        assert row.filled_shares == float(filled)
        assert row.fill_state == ("PARTIAL" if float(filled) < float(requested) else "FULL")


tags = st.text(st.characters(codec="ascii", exclude_characters="[]|,\x1b"), min_size=1, max_size=100)


@given(tags, amounts, amounts, prices, amounts, prices, st.sampled_from(["200 OK", "201 Created", "FAILED"]))
def test_any_tag_keeps_its_numbers(tag, filled, requested, at, whale, price, answer):
    row = parse_line(line(f"{answer} [{tag}] | {fork(filled, requested, at, whale, price)}"))
    assert row.outcome == ("REJECTED" if answer == "FAILED" else "SENT")
    assert (row.requested_shares, row.copied_whale_shares, row.copied_whale_price) == (
        float(requested),
        float(whale),
        float(price),
    )
    written = tag if row.scaling_percent is None else f"{row.scaling} ({row.scaling_percent}%)"
    assert written == tag or int(written.split("(")[1][:-2]) == int(tag.split("(")[1][:-2])


def test_common_order_of_several_fills_has_no_transaction():
    row = parse_line(line(f"AGG_FLUSH(3) 200 OK [SCALED] | {my()}", tx="AGG_3_7132104567", block="0"))
    assert (row.tx_hash, row.problems, row.aggregated_fills, row.outcome) == (None, None, 3, "SENT")


@given(st.sampled_from(["CB_BLOCKED:", "RISK_BLOCKED:", "EXEC_FAIL: ", "QUEUE_ERR: "]), st.text(min_size=1, max_size=50))
def test_any_reason_is_kept(code, reason):
    reason = reason.strip().replace("\x1b", "") or "x"
    row = parse_line(line(code + reason))
    assert row.outcome == code.rstrip(": ")
    assert row.reason == plain_text(reason)


anything = st.text(max_size=80) | st.sampled_from([status for status, _, _ in STATUSES])


@given(st.lists(anything, max_size=18))
def test_any_text_in_any_field_is_a_valid_row_of_the_table(fields):
    for parse, table in ((parse_line, "trade_log"), (own_fills.parse_line, "own_fills")):
        raw = ",".join(fields)
        row = parse(raw)
        assert row.raw == raw
        row.log_id, row.byte_offset = "log", 7
        row.day = row.logged_at or row.day.replace(year=2026)
        try:
            encoded = msgspec.json.encode(row)
        except UnicodeEncodeError:  # lone surrogates cannot be in a UTF-8 file
            continue
        row_decoder(table).decode(encoded)
        if table == "trade_log":
            assert row.outcome in OUTCOMES


@given(anything, st.sampled_from(sorted(line.__kwdefaults__)))
def test_any_text_in_one_field_leaves_the_others_unchanged(text, name):
    change = {name: text.replace(",", ";")} if name != "book" else {"book": f"{text.replace(',', ';')},1,2,3"}
    good = parse_line(line())
    row = parse_line(line(**change))
    same = {"outcome", "fill_state", "resubmitted"}
    if name != "token":
        same |= {"token_id"}
    if name != "tx":
        same |= {"tx_hash"}
    assert {n: getattr(row, n) for n in same} == {n: getattr(good, n) for n in same}


def own(direction="BUY_FILL", block="64123456", asks='0.53,150,"0.54",90.5', bids="0.5,10,N/A,N/A", tx=TX):
    return f"2026-11-20 12:34:56.789,{block},{TOKEN},12.75,25.000000,0.5100,{direction},{asks},{bids},{tx}"


def test_own_fill_sets_every_column():
    row = own_fills.parse_line(own())
    assert (row.block, row.token_id, row.side, row.usd, row.shares, row.price) == (
        64123456,
        TOKEN,
        "BUY",
        12.75,
        25.0,
        0.51,
    )
    assert (row.ask1_price, row.ask2_price, row.ask2_size, row.bid1_size) == (0.53, 0.54, 90.5, 10.0)
    assert (row.bid2_price, row.tx_hash, row.problems) == (None, TX, None)


def test_own_fill_with_block_0_has_no_block():
    row = own_fills.parse_line(own(block="0"))
    assert (row.block, row.problems) == (None, None)


def test_unreadable_values_of_an_own_fill_are_named():
    row = own_fills.parse_line(own(direction="GIFT", block="x", asks="a,1,1,1", tx="0x1"))
    assert row.problems == "block,direction,ask1_price,tx_hash"
    assert own_fills.parse_line("2026-11-20 12:34:56.789,5").problems == "columns"


def test_hash_in_another_letter_case_joins_with_the_api():
    api = msgspec.json.encode({"type": "TRADE", "timestamp": 1, "transactionHash": TX})
    fill = read_activity(msgspec.Raw(api), wallet="0x" + "ab" * 20)
    for sent in (TX.upper(), "0x" + TX[2:].upper(), TX):
        row = parse_line(line(tx=sent))
        assert (row.tx_hash, row.problems) == (fill.transaction_hash, None)
