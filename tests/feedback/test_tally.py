"""Outcomes against expectations: what counts as success, late and dear."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.feedback.outcomes import decision, outcome

from lictor.feedback.tally import Tally, compared


def tallied(*pairs):
    tally = Tally()
    for one, end in pairs:
        tally.note(one, end, came_true=end.result == "succeeded")
    return tally


def test_results_are_counted_and_a_cancelled_one_says_nothing():
    tally = tallied(
        (decision(), outcome()),
        (decision(), outcome("failed")),
        (decision(), outcome("expired")),
        (decision(confidence=0.9), outcome("cancelled", after_s=99)),
    )
    assert (tally.count, tally.succeeded, tally.failed, tally.cancelled, tally.late) == (4, 1, 2, 1, 0)
    assert tally.calibration is None


@pytest.mark.parametrize(
    ("expects", "after_s", "late_s"),
    [
        (None, 9.0, 0.0),
        (None, 10.0, 0.0),
        (None, 12.5, 2.5),
        ({"within_s": 2}, 3.0, 1.0),
        ({"within_s": 20}, 12.0, 2.0),  # the deadline is the earlier one
        ({"within_s": "soon"}, 3.0, 0.0),
        ({"within_s": float("nan")}, 3.0, 0.0),
        ({"within_s": True}, 3.0, 0.0),
    ],
)
def test_late_is_past_the_deadline_or_past_what_was_expected(expects, after_s, late_s):
    tally = tallied((decision(expects=expects), outcome(after_s=after_s)))
    assert tally.late == (late_s > 0)
    assert tally.late_s == tally.late_s_max == pytest.approx(late_s)
    assert (tally.on_time.value < 1.0) == (late_s > 0)


@pytest.mark.parametrize(
    ("expects", "end", "pairs"),
    [
        ({"amount": 250}, outcome(settled=[("cash", 260)]), [(250.0, 260.0)]),
        ({"amount": 250}, outcome(settled=[("cash", 260), ("fees", 3)]), []),  # of which of the two?
        ({"cash": 250, "fees": 1}, outcome(settled=[("cash", 260), ("fees", 3)]), [(250.0, 260.0), (1.0, 3.0)]),
        ({"cash": Decimal("2.5")}, outcome(settled=[("cash", Decimal("2.25"))]), [(2.5, 2.25)]),
        ({"value": 9.5}, outcome(value=10), [(9.5, 10.0)]),
        ({"value": 9.5}, outcome(value="receipt"), []),
        ({"amount": 250}, outcome(), []),
        ({"amount": "dear"}, outcome(settled=[("cash", 1)]), []),
        ({"value": float("inf")}, outcome(value=1), []),
    ],
)
def test_cost_compares_like_with_like(expects, end, pairs):
    assert list(compared(expects, end)) == pairs


def test_the_error_of_a_cost_is_relative():
    tally = tallied(
        (decision(expects={"amount": 100}), outcome(settled=[("cash", 110)])),
        (decision(expects={"amount": 100}), outcome(settled=[("cash", 80)])),
        (decision(expects={"amount": 0}), outcome(settled=[("cash", 5)])),
    )
    assert tally.cost_count == 3
    assert tally.cost_error == pytest.approx(0.1 - 0.2 + 1.0)
    assert tally.cost_error_abs == pytest.approx(0.1 + 0.2 + 1.0)


anything = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**320)
    | st.floats()
    | st.sampled_from([1.7e308, -1.7e308])
    | st.decimals()
    | st.sampled_from([Decimal("sNaN"), Decimal("1e999"), Decimal(3)])
    | st.text(max_size=3)
    | st.lists(st.integers(), max_size=2)
)


@given(
    st.dictionaries(st.sampled_from(["within_s", "amount", "value", "cash", "x"]), anything, max_size=5),
    anything,
    st.lists(st.tuples(st.just("cash"), st.integers() | st.just(10**320) | st.just(Decimal("1e999"))), max_size=2),
)
def test_no_expectation_breaks_the_one_that_learns(expects, value, settled):
    """What sources state is theirs; it must not stop a node."""
    tally = tallied((decision(expects=expects), outcome(value=value, settled=settled)))
    assert tally.count == 1
    assert tally.cost_count <= 4
    assert Tally.of(tally.values(), 0).values() == tally.values()


ends = st.builds(
    outcome,
    st.sampled_from(["succeeded", "failed", "expired", "cancelled"]),
    after_s=st.floats(0, 30),
    settled=st.lists(st.tuples(st.just("cash"), st.integers(0, 1000)), max_size=1),
)
ones = st.builds(
    decision,
    confidence=st.none() | st.floats(0, 1),
    expects=st.none() | st.fixed_dictionaries({"amount": st.integers(0, 1000)}),
)


@given(st.lists(st.tuples(ones, ends), max_size=60), st.integers(0, 60))
def test_what_is_recorded_in_between_is_taken_up_exactly(pairs, at):
    whole = tallied(*pairs)
    part = Tally.of(tallied(*pairs[:at]).values(), 0)
    for one, end in pairs[at:]:
        part.note(one, end, came_true=end.result == "succeeded")
    assert part.values() == whole.values()
