"""The pair of wallets in tables whose rows belong to one: `user1_address` is the copier, `user2_address` the whale."""

from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal


def of_pair(wallets: Wallets) -> str:
    """SQL condition for the rows of a pair."""
    return f"user1_address = {literal(wallets.copier)} AND user2_address = {literal(wallets.whale)}"


def pair_columns(wallets: Wallets) -> dict[str, str | int | float | bool]:
    """The pair's columns and their values, for a row or the `equals` of a `Window`."""
    return {"user1_address": wallets.copier, "user2_address": wallets.whale}
