"""`polypipe doctor`: checks everything that polypipe depends on and says how to fix what is wrong.

`checks.py` lists the checks; each is a small function in the module of its subject. `check_*` gathers (network, tables,
files), `judge_*` is pure. Nothing here writes to the warehouse or touches a file that the bot reads.
"""
