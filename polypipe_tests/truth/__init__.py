"""Worlds with known truth, against which the numbers of copying are measured: see docs/accuracy.md.

Shares no code with `polypipe`, its simulator included. `product.py` hands a world in and reads the stored tables back,
`surfaces.py` reads the commands and the page, `coverage.py` measures intervals; no other module imports polypipe.
"""
