"""The simulated exchange: one process that answers as Gamma, Data, user-pnl and CLOB do.

`polypipe demo` and the tests run against it; `python -m polypipe.sim` starts it. Nothing outside this package is
imported here, and nothing of it is used against the real APIs.
"""

from polypipe.sim.server import DEFAULT_START, SimServer
from polypipe.sim.wallets import COPIER_ADDRESS, WHALE_ADDRESS

__all__ = ["COPIER_ADDRESS", "DEFAULT_START", "WHALE_ADDRESS", "SimServer"]
