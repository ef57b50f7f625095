-- from gap_attribution: every row of the pair.
FROM rows WHERE {ours}
