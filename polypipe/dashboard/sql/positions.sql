-- from positions: every row.
FROM rows
