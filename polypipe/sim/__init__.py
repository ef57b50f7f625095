"""The simulated exchange: one process that serves the Gamma, Data, user-pnl and CLOB APIs.

`polypipe demo` and the tests run against it; `python -m polypipe.sim` starts it. This package imports nothing from the
rest of polypipe, and the client of the real APIs uses nothing from it.
"""

from polypipe.sim.wallets import COPIER_ADDRESS, WHALE_ADDRESS

__all__ = ["COPIER_ADDRESS", "WHALE_ADDRESS"]
