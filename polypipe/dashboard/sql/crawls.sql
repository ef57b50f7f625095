-- from crawls: the newest complete and the newest incomplete crawl of each kind.
FROM rows QUALIFY row_number() OVER (PARTITION BY kind, complete ORDER BY finished_at DESC) = 1
