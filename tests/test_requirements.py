"""The locks pin what is asked for, each pin with its hashes, and name no place to fetch it from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "requirements"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def asked(lines: list[str]) -> set[str]:
    """Normalised names of the requirements in these lines; options and comments are skipped."""
    names = [NAME.match(line) for line in lines if not line.startswith(("#", "-"))]
    return {re.sub(r"[-_.]+", "-", name.group()).lower() for name in names if name}


def locked(text: str) -> dict[str, int]:
    """Name -> how many hashes it has, over all its pins."""
    pins: dict[str, int] = {}
    for entry in re.split(r"\n(?=[A-Za-z0-9])", text):
        if pin := re.match(r"([A-Za-z0-9._-]+)==\S+", entry):
            hashes = len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry))
            pins[pin.group(1)] = min(pins.get(pin.group(1), hashes), hashes)
    return pins


@pytest.mark.parametrize("lock", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_every_pin_has_hashes_and_no_address(lock):
    text = lock.read_text()
    pins = locked(text)
    assert pins
    assert [name for name, hashes in pins.items() if not hashes] == []
    assert not re.search(r"://|^\s*--(index|extra-index|find-links|trusted)", text, flags=re.MULTILINE)


def test_what_is_asked_for_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = [name for extra in project["project"]["optional-dependencies"].values() for name in extra]
    base = locked((FOLDER / "base.txt").read_text())
    assert asked(project["project"]["dependencies"] + extras) <= set(base)
    for source in FOLDER.glob("*.in"):
        pins = locked(source.with_suffix(".txt").read_text())
        assert asked(source.read_text().splitlines()) <= set(pins), source.name
    assert asked(project["build-system"]["requires"]) <= set(locked((FOLDER / "dev.txt").read_text()))


def test_a_missing_hash_is_found():
    assert locked(f"a==1 \\\n    --hash=sha256:{'0' * 64}\n    # via b\nb==2\n") == {"a": 1, "b": 0}
