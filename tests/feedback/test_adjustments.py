"""Adjustments by subject: when wishes come into force, what latches, and what only a named person may do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor import App, Change, DeniedError, NotFoundError
from lictor.feedback.adjustments import Adjustments
from lictor.feedback.bounds import tighter

HOUR_US = 3_600_000_000


def made(**options):
    app = App("a")
    size = app.adjustable("size", **({"default": 1.0, "tightest": 0.1, "loosen_per_hour": 0.2} | options))
    return app, size, Adjustments(app)


def test_a_tightening_is_urgent_and_a_loosening_waits():
    _, size, adjustments = made(default=0.5, loosest=1.0)
    adjustments.wish(Change(size, 0.9, "well done"), "desk", "fit", 1)
    assert adjustments.waiting
    assert not adjustments.urgent
    adjustments.wish(Change(size, 0.3, "losses"), "desk", "fit", 2)
    assert adjustments.urgent
    assert adjustments.value(size, "desk") == 0.5, "nothing is in force before the turn that writes it"
    (move,) = adjustments.settle(HOUR_US)
    assert (move.value, move.was, move.lesson, move.reason, move.decision) == (0.3, 0.5, "fit", "losses", 2)
    assert adjustments.value(size, "desk") == 0.3
    assert not adjustments.waiting, "the tightening came later and has the last word"
    assert adjustments.value(size, "other") == 0.5


def test_the_first_wish_to_loosen_starts_the_clock():
    _, size, adjustments = made(default=0.5, loosest=1.0)
    adjustments.wish(Change(size, 1.0, "well done"), "desk", "fit", 1)
    (move,) = adjustments.settle(10 * HOUR_US)
    assert (move.value, move.was) == (0.5, 0.5)
    adjustments.wish(Change(size, 1.0, "well done"), "desk", "fit", 2)
    (move,) = adjustments.settle(11 * HOUR_US)
    assert move.value == pytest.approx(0.7)


def test_a_latch_holds_until_a_named_person_resets_it():
    _, size, adjustments = made()
    adjustments.wish(Change(size, 0.4, "drawdown", latch=True), "desk", "fit", 1)
    assert adjustments.settle(0)[0].latched
    adjustments.wish(Change(size, 1.0, "well done"), "desk", "fit", 2)
    assert adjustments.settle(1_000 * HOUR_US) == ()
    adjustments.wish(Change(size, 0.2, "again"), "desk", "fit", 3)
    (move,) = adjustments.settle(1_001 * HOUR_US)
    assert (move.value, move.latched) == (0.2, True), "it may always tighten, and stays latched"
    with pytest.raises(DeniedError):
        adjustments.reset("size", "desk", None, "", 0, "")
    adjustments.reset("size", "desk", None, "ann", 1_002 * HOUR_US, "looked into it")
    (move,) = adjustments.settle(1_002 * HOUR_US)
    assert (move.value, move.latched, move.by, move.reason) == (1.0, False, "ann", "looked into it")


def test_a_latch_without_a_move_is_a_move():
    _, size, adjustments = made()
    adjustments.wish(Change(size, 1.0, "stop", latch=True), "desk", "fit", 1)
    (move,) = adjustments.settle(0)
    assert (move.value, move.latched) == (1.0, True)


def test_a_person_stays_within_the_bounds_too():
    _, _, adjustments = made()
    adjustments.reset("size", "desk", 99.0, "ann", 0, "")
    assert adjustments.settle(0)[0].value == 1.0
    with pytest.raises(NotFoundError):
        adjustments.reset("size", "other", None, "ann", 0, "")
    with pytest.raises(NotFoundError):
        adjustments.reset("gone", "desk", 1.0, "ann", 0, "")


def test_new_bounds_move_what_they_exclude():
    _, size, adjustments = made()
    adjustments.wish(Change(size, 0.1, "losses"), "desk", "fit", 1)
    adjustments.settle(0)
    _, _, redeployed = made(tightest=0.3)
    redeployed.recover(adjustments.in_force, 5)
    assert redeployed.urgent
    (move,) = redeployed.settle(5)
    assert (move.value, move.was, move.by) == (0.3, 0.1, "app:1")


def test_a_demotion_is_told_once():
    _, _, adjustments = made()
    for _ in range(3):
        adjustments.demote("desk", 7, "quality 0.4 is below 0.5")
    (move,) = adjustments.settle(7)
    assert (move.name, move.subject, move.value, move.latched) == ("demoted", "desk", 1.0, True)
    assert adjustments.demoted("desk")
    assert not adjustments.demoted("other")


steps = st.lists(
    st.tuples(
        st.floats(-3, 3),
        st.booleans(),
        st.sampled_from(["desk", "other"]),
        st.integers(0, 3 * HOUR_US),
        st.sampled_from(["wish", "settle", "reset"]),
    ),
    max_size=60,
)


@given(steps, st.booleans())
def test_every_move_that_no_person_made_is_bounded(steps, upwards):
    """I20 over the records themselves, as an auditor would check them: nothing but their fields and the declaration."""
    options = {"default": 0.6, "tightest": 1.0, "loosest": 0.0} if upwards else {"default": 0.6, "tightest": 0.1}
    _, size, adjustments = made(**options)
    at_us, moves = 0, []
    for value, latch, subject, pause_us, what in steps:
        at_us += pause_us
        if what == "wish":
            adjustments.wish(Change(size, value, "r", latch=latch and value < 0), subject, "fit", 1)
        elif what == "settle":
            moves += adjustments.settle(at_us)
        else:
            adjustments.reset("size", subject, value, "ann", at_us, "")
    moves += adjustments.settle(at_us)
    low, high = sorted((size.tightest, size.loosest))
    last = {}
    for move in moves:
        before = last.get(move.subject)
        assert low <= move.value <= high
        assert move.was == (before.value if before else move.was)
        if move.by is None and tighter(size, move.was, move.value):
            assert before is not None, "a first loosening has nothing to measure its speed by"
            assert not before.latched
            allowed = size.loosen_per_hour * (move.at_us - before.at_us) / HOUR_US
            assert abs(move.value - move.was) <= allowed + 1e-12
        if before is not None and before.latched and move.by is None:
            assert move.latched
        last[move.subject] = move
