"""The command line, `lictor`. Commands load what they need when they run.

A command returns an exit code, or nothing for 0; errors are printed here, once, with their code and what to do.
"""

from lictor.surfaces.cli.commands import main

__all__ = ["main"]
