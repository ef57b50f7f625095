"""The simulated exchange: one process that answers as Gamma, Data, user-pnl and CLOB do.

`polypipe demo` and the tests run against it; `python -m polypipe.sim` starts it. Nothing outside this package is
imported here, and nothing of it is used against the real APIs.
"""

from polypipe.sim.wallets import COPIER_ADDRESS, WHALE_ADDRESS

__all__ = ["COPIER_ADDRESS", "WHALE_ADDRESS"]
