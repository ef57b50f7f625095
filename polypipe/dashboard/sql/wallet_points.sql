-- from wallet_pnl: cumulative hourly PnL, for the time before the first snapshot.
SELECT wallet, epoch_ms(t) AS t, p, fidelity FROM rows
