"""Who decides says what it would have said had the future been another, and never asks for a part of a lot."""

import pytest

from lictor.desks.trading.deciders import QTY_STEP, FittedModel, Reversion, seen
from lictor.desks.trading.fitting import fit_events
from lictor.desks.trading.market import Print, Snapshot
from lictor.desks.trading.policy import Policy

MINUTE_US = 60_000_000
POLICY = Policy()


@pytest.fixture(scope="module")
def fitted(market):
    cut_us = market[0].time_us + 10 * MINUTE_US
    return fit_events(market, cut_us), cut_us


def deciders(fitted):
    model, cut_us = fitted
    return [FittedModel(model, POLICY, every_s=4.0, after_us=cut_us), Reversion(POLICY, every_s=8.0, after_us=cut_us)]


def proposals(deciders, market):
    """What they want, message by message as the venue sends them."""
    found, prints = [], []
    for event in market:
        if isinstance(event, Print):
            prints.append(event)
        elif isinstance(event, Snapshot):
            found += [(event.time_us, proposal) for proposal in seen(deciders, event, prints)]
            prints = []
    return found


def test_what_comes_later_changes_nothing_that_was_said(fitted, market, spoiled):
    until_us = fitted[1] + 2 * MINUTE_US
    cut = market.index(next(event for event in market if event.time_us > until_us))
    other = [*market[:cut], *(spoiled(event) for event in market[cut:])]
    usual, changed = proposals(deciders(fitted), market), proposals(deciders(fitted), other)
    before = [pair for pair in usual if pair[0] <= until_us]
    assert len(before) > 30
    assert before == [pair for pair in changed if pair[0] <= until_us]
    assert usual != changed


def test_a_proposal_is_of_the_book_it_was_made_on(fitted, market):
    books = {event.time_us: event for event in market if isinstance(event, Snapshot)}
    found = proposals(deciders(fitted), market)
    assert {proposal.source for _, proposal in found} == {"model", "reversion"}
    for at_us, proposal in found:
        trade = proposal.trade
        book = books[trade.signal_us]
        assert trade.signal_us <= at_us
        assert trade.mid_half_cents == book.bids[0][0] + book.asks[0][0]
        assert trade.qty == trade.wanted
        assert trade.wanted % QTY_STEP == 0
        assert trade.limit_price % POLICY.tick == 0
        assert trade.side * (trade.limit_price - (book.asks if trade.side > 0 else book.bids)[0][0]) >= 0


def test_a_model_remembers_what_it_said_to_be_scored(fitted, market):
    model, rule = deciders(fitted)
    found = proposals([model, rule], market)
    assert len(model.said) == sum(proposal.source == "model" for _, proposal in found)
