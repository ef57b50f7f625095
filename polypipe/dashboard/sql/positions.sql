-- from positions: all of it.
FROM rows
