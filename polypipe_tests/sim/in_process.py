"""A client that calls the simulated exchange as an ASGI application: no port, no thread."""

import httpx

from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import Hosts, PolymarketHttp
from polypipe_tests.sim.server import SimServer

URL = "http://sim.invalid"


def in_process(sim: SimServer, attempts: int = 2) -> Polymarket:
    """Requests go through the client's own HTTP code and the exchange's faults. Not for faults of connections."""

    def client(hosts: Hosts) -> PolymarketHttp:
        transport = httpx.ASGITransport(app=sim.asgi)
        return PolymarketHttp(hosts, transport=transport, attempts=attempts, backoff=0.001, rate_share=1000.0)

    return Polymarket(Hosts(gamma=URL, data=URL, pnl=URL, clob=URL), client=client)
