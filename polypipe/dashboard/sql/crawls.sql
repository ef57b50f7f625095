-- from crawls: the newest of each kind, complete or not.
FROM rows QUALIFY row_number() OVER (PARTITION BY kind, complete ORDER BY finished_at DESC) = 1
