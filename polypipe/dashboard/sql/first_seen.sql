-- from token_first_seen: when each token came into our files, the token as a number: its text would take 50 MB.
SELECT hash(token_id) AS token, min(first_seen) AS first_seen FROM rows GROUP BY ALL
