"""What `verify` says of checkpoints, whatever stands before them."""

from __future__ import annotations

from tests.audit.stories import signed

from lictor.audit.tree import Kept
from lictor.journal.sqlite.tree_check import TreeCheck


def test_a_checkpoint_of_nothing_hides_none_that_follows():
    class Checked(TreeCheck):
        def _read(self):
            return [Kept(1, 0, signed(0)), Kept(2, 0, signed(1))]

    findings = []
    check = Checked(None, lambda *found: findings.append(found), ())
    check.commit(1, 0, bytes(32))
    assert [text for _, text in findings] == ["the first 1 facts are not those that checkpoint 2 was signed over"]
