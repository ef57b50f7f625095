"""Divergence on past days: hourly PnL and activity of both wallets by UTC day, and how well one copied the other."""
