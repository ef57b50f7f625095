-- from gap_attribution: all of it.
FROM rows WHERE {ours}
