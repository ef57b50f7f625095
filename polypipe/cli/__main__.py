"""`python -m polypipe.cli`: the same as the command `polypipe`."""

from polypipe.cli.main import main

main()
