"""The shell that the pages' commands run in."""

from tests.surfaces.conftest import shell

__all__ = ["shell"]
