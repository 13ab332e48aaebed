"""A recent share is the weighted mean that it says it is, for as long as one likes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.feedback.share import CREDIT, Share


def direct(flags):
    """Each observation weighs 1% less than the one after it, and so does the credit."""
    weights = [0.99 ** (len(flags) - 1 - place) for place in range(len(flags))]
    credit = CREDIT * 0.99 ** (len(flags) - 1) if flags else CREDIT
    good = credit + sum(weight for weight, flag in zip(weights, flags, strict=True) if flag)
    return good / (credit + sum(weights))


@given(st.lists(st.booleans(), max_size=400))
def test_it_is_the_weighted_mean(flags):
    share = Share()
    for flag in flags:
        share.note(good=flag)
    assert share.value == pytest.approx(direct(flags), rel=1e-9)
    assert Share(*share.values()).value == share.value


def test_it_survives_more_than_a_float_could_weigh():
    share = Share()
    for place in range(60_000):  # 0.99 ** -60_000 is beyond any float
        share.note(good=place % 4 != 0)
    assert share.value == pytest.approx(0.75, abs=0.01)


def test_it_forgets():
    share = Share()
    for _ in range(5_000):
        share.note(good=True)
    for _ in range(500):
        share.note(good=False)
    assert share.value < 0.01
