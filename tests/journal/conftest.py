"""Fixtures of the journal's tests."""

import shutil
import tempfile
from pathlib import Path

import pytest

#: A file system in memory, where Linux has one: for thousands of journals and no real sync.
MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def quick_paths():
    """Makes folders, in memory where there is one: for tests that are about what is written, not about the disk."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    yield lambda: Path(tempfile.mkdtemp(dir=folder))
    shutil.rmtree(folder)


@pytest.fixture
def quick_path(quick_paths):
    """One such folder."""
    return quick_paths()
