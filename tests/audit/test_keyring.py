"""The key file: made once, for its owner alone, and handed over without a gap."""

import os

import pytest
from tests.audit.stories import signed

from lictor.audit.anchor import Anchor
from lictor.audit.keyring import Keyring, readable
from lictor.audit.note import PublicKey
from lictor.errors import DeniedError, LictorError, MalformedError


@pytest.fixture
def ring(tmp_path):
    return Keyring(tmp_path / "j.db.key", os.urandom)


def test_it_is_made_once_and_for_its_owner_alone(ring):
    assert ring.keys() is None
    keys = ring.made()
    assert ring.made() == keys == ring.keys()
    assert ring.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in ring.path.parent.iterdir()] == [ring.path.name]
    assert keys.origin.startswith("lictor/")
    assert PublicKey.read(readable(keys.all())) == keys.public
    ring._write(Keyring(ring.path, os.urandom).made(), new=True)  # another was first
    assert ring.keys() == keys


def test_a_key_that_others_can_read_is_refused(ring):
    ring.made()
    ring.path.chmod(0o640)
    with pytest.raises(DeniedError, match="others can read"):
        ring.keys()


def test_it_hands_over_once_at_a_time_and_destroys_the_earlier_key(ring):
    first = ring.made()
    both = ring.rotate()
    assert both.signing[0] == first.signing[0]
    assert both.origin == first.origin
    with pytest.raises(LictorError, match="under way"):
        ring.rotate()
    ring.handed_over(both.signing[1])  # not the one that goes
    assert ring.keys() == both
    ring.handed_over(both.signing[0])
    after = ring.keys()
    assert after.signing == both.signing[1:]
    assert after.all() == [first.public, both.public]
    assert first.signing[0].text() not in ring.path.read_text()
    ring.handed_over(both.signing[0])
    assert ring.keys() == after


def test_a_damaged_file_is_told(ring):
    ring.path.write_text("# nothing\n")
    ring.path.chmod(0o600)
    with pytest.raises(LictorError, match="one key that signs"):
        ring.keys()
    ring.path.write_text("nonsense\n")
    with pytest.raises(MalformedError):
        ring.keys()
    ring.path.unlink()
    ring.path.mkdir()
    with pytest.raises(LictorError):
        ring.keys()


def test_an_anchor_only_grows(tmp_path):
    anchor = Anchor(tmp_path / "anchor.txt")
    assert anchor.read() == []
    for size in (1, 2, 4):
        anchor.append(signed(size))
    assert anchor.read() == [signed(1), signed(2), signed(4)]
    anchor.path.write_text("nonsense")
    with pytest.raises(MalformedError):
        anchor.read()
    with pytest.raises(LictorError, match="cannot be written"):
        Anchor(tmp_path).append(signed(1))
    with pytest.raises(LictorError, match="cannot be read"):
        Anchor(tmp_path).read()
