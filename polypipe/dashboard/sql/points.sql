-- from snapshots: the numbers of every row. The texts, most of the bytes, are left out.
SELECT
    id, user1_value, user1_pnl, user1_volume, user1_rank, user2_value, user2_pnl, user2_volume, user2_rank,
    expected_pnl, pnl_vs_expected, pnl_efficiency, loss_share, scaling_ratio
FROM rows WHERE {ours}
