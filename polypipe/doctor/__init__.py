"""`polypipe doctor`: looks at everything that polypipe rests on and says what to do about what is not right.

`checks.py` is the list of checks; each is one small function in the module of its subject. Gathering (network, tables,
files) is apart from judging. Nothing here writes to the warehouse or touches a file that the bot reads.
"""
