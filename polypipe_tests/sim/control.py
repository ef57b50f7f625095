"""The request log, and the `/_sim` paths that control and describe the exchange over HTTP."""

import dataclasses
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polypipe.sim.answers import reply
from polypipe.sim.clock import Clock
from polypipe.sim.life import state
from polypipe.sim.world import World
from polypipe_tests.sim.faults import Faults


@dataclasses.dataclass(slots=True)
class LoggedRequest:
    """A logged request. `sent` is the size of the body on the wire; `status` is 0 without a response."""

    path: str
    query: str
    at: float  # real epoch seconds
    status: int = 0
    sent: int = 0
    fault: str = ""

    @property
    def params(self) -> QueryParams:
        return QueryParams(parse_qsl(self.query, keep_blank_values=True))


def control_routes(world: World, clock: Clock, faults: Faults, requests: list[LoggedRequest]) -> list[Route]:
    """Routes for faults, request log, description of the world and clock."""

    async def add_fault(request: Request) -> Response:
        spec: dict[str, Any] = await request.json()
        try:
            faults.add(**spec)
        except (TypeError, ValueError) as error:
            return reply(request, {"error": str(error)}, 400)
        return reply(request, {"active": len(faults.active)}, 201)

    async def clear_faults(request: Request) -> Response:
        faults.clear()
        return reply(request, {"active": 0})

    async def log(request: Request) -> Response:
        return reply(request, [dataclasses.asdict(seen) for seen in requests])

    async def describe(request: Request) -> Response:
        now = clock.now()
        events = world.open_events(now)
        return reply(
            request,
            {
                "seed": world.seed,
                "now": now,
                "speed": clock.speed,
                "open_events": len(events),
                "universe_events": sum(e.in_universe for e in events),
                "live_events": sum(state(e, now).phase == "live" for e in events),
                "markets": sum(len(world.markets(e, now)) for e in events),
            },
        )

    async def move_clock(request: Request) -> Response:
        spec: dict[str, float] = await request.json()
        if "now" in spec:
            clock.set(float(spec["now"]))
        clock.advance(float(spec.get("advance", 0)))
        return reply(request, {"now": clock.now()})

    return [
        Route("/_sim/faults", add_fault, methods=["POST"]),
        Route("/_sim/faults", clear_faults, methods=["DELETE"]),
        Route("/_sim/requests", log),
        Route("/_sim/world", describe),
        Route("/_sim/clock", move_clock, methods=["POST"]),
    ]
