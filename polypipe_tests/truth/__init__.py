"""Worlds with known truth, against which the numbers of copying are measured: see docs/accuracy.md.

Shares no code with `polypipe`, its simulator included; only `product.py` imports it, to hand a world in and read the
stored tables back.
"""
