-- from uncopied_exits: all of it but the addresses.
SELECT * EXCLUDE (user1_address, user2_address) FROM rows WHERE {ours}
