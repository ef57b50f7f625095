-- from uncopied_exits: every row of the pair, without the addresses.
SELECT * EXCLUDE (user1_address, user2_address) FROM rows WHERE {ours}
