"""`python -m polypipe.cli` is the command `polypipe`."""

from polypipe.cli.main import main

main()
