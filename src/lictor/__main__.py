"""`python -m lictor` is the command line."""

from lictor.surfaces.cli import main

main()
