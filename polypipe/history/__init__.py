"""Past days: hourly PnL and activity of both wallets by UTC day, and how well the copier followed the whale."""
