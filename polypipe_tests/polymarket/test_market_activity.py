"""One market that the API refuses is unknown; it fails nothing else."""

import httpx
import pytest

from polypipe.polymarket import RequestRefused, run
from polypipe.polymarket.market_activity import MarketActivity, newest_in_market
from polypipe_tests.polymarket.fake_activity import WALLET, raw_activity
from polypipe_tests.polymarket.support import client


def ask(answer: httpx.Response) -> MarketActivity:
    http = client(httpx.MockTransport(lambda _: answer))
    return run(http, lambda opened: newest_in_market(opened, WALLET, "0xc0"))


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refused_market_is_unknown_with_the_reason(status: int) -> None:
    found = ask(httpx.Response(status, json={"error": "invalid market"}))
    assert found == MarketActivity(unknown=f"the API refuses to list this market's activity (HTTP {status})")


def test_another_refusal_fails() -> None:
    with pytest.raises(RequestRefused):
        ask(httpx.Response(401))


def test_rows_of_other_markets_do_not_count_and_letter_case_does_not_matter() -> None:
    found = ask(httpx.Response(200, json=[raw_activity(5, conditionId="0xC0"), raw_activity(4, conditionId="0xc1")]))
    assert [row.condition_id for row in found.activities] == ["0xc0"]
    assert found.complete


def test_a_full_page_is_not_complete() -> None:
    assert not ask(httpx.Response(200, json=[raw_activity(5)] * 500)).complete
