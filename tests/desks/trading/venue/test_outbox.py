import pytest

from lictor.desks.trading.venue.outbox import Outbox


@pytest.fixture
def reopen(tmp_path):
    opened = []

    def reopen():
        if opened:
            opened.pop().close()
        opened.append(Outbox(tmp_path / "DESK"))
        return opened[-1]

    yield reopen
    opened.pop().close()


def test_what_was_not_handed_over_is_there_after_a_restart_in_order(reopen):
    box = reopen()
    for number in range(5):
        box.put("8", {11: f"k{number}", 58: "a\x02\"'é"})
    box.handed_over()
    box.handed_over()
    again = reopen()
    assert len(again) == 3
    assert again.first() == ("8", {11: "k2", 58: "a\x02\"'é"}, True)


def test_answers_go_with_the_client_and_reports_stay(reopen):
    box = reopen()
    box.put("8", {11: "report"})
    box.put("8", {11: "answer"}, kept=False)
    box.put("9", {11: "refusal"})
    assert len(box) == 3
    box.client_left()
    assert len(box) == 2
    box.handed_over()
    assert box.first().fields == {11: "refusal"}


def test_an_answer_that_was_sent_counts_for_nothing_on_disk(reopen):
    box = reopen()
    box.put("8", {11: "answer"}, kept=False)
    box.put("8", {11: "report"})
    box.handed_over()
    assert reopen().first().fields == {11: "report"}


def test_an_empty_outbox_starts_a_new_file(reopen, tmp_path):
    box = reopen()
    box.put("8", {11: "a"})
    box.handed_over()
    assert len(reopen()) == 0
    assert (tmp_path / "DESK.outbox").stat().st_size == 0
    reopen().put("8", {11: "b"})
    assert reopen().first().fields == {11: "b"}
