-- from token_first_seen: when our files first had each token. Tokens are hashed: their texts would take 50 MB.
SELECT hash(token_id) AS token, min(first_seen) AS first_seen FROM rows GROUP BY ALL
