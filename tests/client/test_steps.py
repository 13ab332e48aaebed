"""What the shared core does, step by step, without a socket: what is made again, after how long, and what is not."""

from __future__ import annotations

import msgspec
import pytest

from lictor.client import BusyError, NotAllowedError, Patience, ServerError, Signal, Submitted, UnreachableError, api
from lictor.client.sse import Reading
from lictor.client.steps import END, Give, Line, Listen, Lost, Manner, Pause, Reply, Send, Take
from lictor.surfaces import shapes

JSON = {"content-type": "application/json"}
PROBLEM = {"content-type": "application/problem+json"}
ADMITTED = b'{"id":"0cnf096y80000","duplicate":false,"verdict":{"result":"admitted"},"outcome":null}'
SHED = b'{"id":null,"verdict":{"result":"shed","code":"INFEASIBLE","retry_after_s":0.5}}'
UNSEEN = Lost("no answer", sent=True)
NOBODY = Lost("refused", sent=False)


def manner(**patience) -> Manner:
    """The jitter is the most that it may be."""
    return Manner(Patience(**{"tries_max": 4, "base_s": 0.1, "wait_s_max": 5.0} | patience), lambda low, high: high)


def played(steps, *answers):
    """The steps that are made when these are the answers, what is given, and how it ends."""
    left, made, heard = list(answers), [], None
    while True:
        try:
            step = steps.send(heard)
        except StopIteration as done:
            return made, done.value
        made.append(step)
        heard = left.pop(0) if isinstance(step, Send | Listen | Take | Line) else None


def submit(key: str | None = "k"):
    return api.submit(Signal(kind="Payout", payload={"amount": 1}, key=key), None, manner())


def pauses(made) -> list[float]:
    return [step.seconds for step in made if isinstance(step, Pause)]


def test_a_submit_with_a_key_is_made_again_when_no_answer_comes() -> None:
    made, told = played(submit(), UNSEEN, UNSEEN, Reply(202, JSON, ADMITTED))
    assert told.admitted
    assert pauses(made) == [0.1, 0.2]


def test_a_submit_without_a_key_is_not_made_again_when_it_may_have_arrived() -> None:
    with pytest.raises(UnreachableError, match="same key") as raised:
        played(submit(None), UNSEEN)
    assert raised.value.unknown
    for status in (502, 503, 504):
        with pytest.raises((BusyError, ServerError)):
            played(submit(None), Reply(status, PROBLEM, b"{}"))


def test_what_reached_nobody_is_made_again_without_a_key() -> None:
    made, told = played(submit(None), NOBODY, Reply(202, JSON, ADMITTED))
    assert told.admitted
    assert len(pauses(made)) == 1


def test_patience_ends() -> None:
    with pytest.raises(UnreachableError):
        played(submit(), *[NOBODY] * 4)
    with pytest.raises(BusyError) as raised:
        played(submit(), Reply(429, PROBLEM | {"retry-after": "60"}, b'{"code":"BUSY","detail":"later"}'))
    assert (raised.value.code, raised.value.retry_after_s) == ("BUSY", 60)


def test_retry_after_is_obeyed_and_jitter_is_added() -> None:
    busy = Reply(503, PROBLEM | {"retry-after": "2"}, b"{}")
    made, told = played(submit(), busy, Reply(202, JSON, ADMITTED))
    assert pauses(made) == [2.1]
    assert told.admitted


def test_a_shed_one_was_not_taken_and_is_made_again_without_a_key() -> None:
    shed = Reply(503, JSON | {"retry-after": "1"}, SHED)
    made, told = played(submit(None), shed, shed, Reply(202, JSON, ADMITTED))
    assert told.admitted
    assert pauses(made) == [1.1, 1.2]
    _, told = played(submit(None), *[shed] * 4)
    assert (told.verdict.result, told.verdict.code, told.verdict.retry_after_s) == ("shed", "INFEASIBLE", 0.5)


def test_a_refusal_is_final() -> None:
    refused = Reply(422, JSON, b'{"id":null,"verdict":{"result":"refused","code":"TOO_LARGE"}}')
    made, told = played(submit(), refused)
    assert (len(made), told.verdict.code) == (1, "TOO_LARGE")


def test_what_a_person_answers_is_said_once() -> None:
    with pytest.raises(UnreachableError):
        played(api.answer("x", {}, None, manner(), approved=True), UNSEEN)
    with pytest.raises(UnreachableError):
        played(api.discard("x", manner()), UNSEEN)
    with pytest.raises(NotAllowedError):
        played(api.halt("all", "", manner(), reduce_only=False), Reply(403, PROBLEM, b'{"code":"DENIED"}'))
    halted = Reply(200, JSON, b'{"scope":"all","mode":"halted","by":"me"}')
    made, _ = played(api.halt("all", "", manner(), reduce_only=False), UNSEEN, halted)
    assert len(pauses(made)) == 1


def test_news_counts_once_only_by_its_name() -> None:
    told = Reply(200, JSON, b'{"new":true}')
    assert played(api.resolve("x", {"result": "failed", "report": "r-1"}, None, manner()), UNSEEN, told)[1]
    with pytest.raises(UnreachableError):
        played(api.resolve("x", {"result": "failed"}, None, manner()), UNSEEN)


def lines(*results: str) -> bytes:
    made = [f'{{"line":{n},"id":"x","verdict":{{"result":"{result}"}}}}\n' for n, result in enumerate(results, 1)]
    return "".join(made).encode()


def signals(count: int, *, key: bool = True, size: int = 0) -> list[Signal]:
    return [Signal(kind="K", payload="x" * size, key=f"k{n}" if key else None) for n in range(count)]


def test_of_many_only_those_that_were_shed_are_sent_again() -> None:
    steps = api.submit_many(manner())
    first = Reply(200, JSON, lines("admitted", "shed", "admitted"))
    made, _ = played(steps, *signals(3, key=False), END, first, Reply(200, JSON, lines("admitted")))
    sent = [step.body for step in made if isinstance(step, Send)]
    assert [body.count(b"\n") for body in sent] == [3, 1]
    given = [step.item.verdict.result for step in made if isinstance(step, Give)]
    assert given == ["admitted"] * 3


def test_many_without_keys_are_not_sent_again_when_no_answer_comes() -> None:
    with pytest.raises(UnreachableError):
        played(api.submit_many(manner()), *signals(2, key=False), END, UNSEEN)
    made, _ = played(api.submit_many(manner()), *signals(2), END, UNSEEN, Reply(200, JSON, lines("admitted", "held")))
    assert len([step for step in made if isinstance(step, Give)]) == 2


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    with pytest.raises(UnreachableError, match="1 of 2 lines"):
        played(api.submit_many(manner()), *signals(2), END, Reply(200, JSON, lines("admitted")))


def test_no_more_is_sent_ahead_than_a_connection_holds() -> None:
    many = signals(40, size=10_000)
    answers: list = []
    steps, heard, sizes, asked = api.submit_many(manner()), None, [], iter([*many, END])
    while True:
        try:
            step = steps.send(heard)
        except StopIteration:
            break
        heard = None
        if isinstance(step, Take):
            heard = next(asked)
        elif isinstance(step, Send):
            sizes.append(len(step.body))
            heard = Reply(200, JSON, lines(*["admitted"] * step.body.count(b"\n")))
        elif isinstance(step, Give):
            answers.append(step.item)
    assert len(answers) == 40
    assert max(sizes) <= api.CHUNK_BYTES


def test_events_are_put_together_and_a_broken_stream_goes_on_after_the_last() -> None:
    steps = api.events(manner())
    open_ = Reply(200, {"content-type": "text/event-stream"})
    heard = [open_, ": quiet", "id: 7", "event: decision", 'data: {"a":', "data: 1}", "", None, open_]
    made: list = [next(steps)]
    while heard or isinstance(made[-1], Give | Pause):
        made.append(steps.send(None if isinstance(made[-1], Give | Pause) else heard.pop(0)))
    (event,) = [step.item for step in made if isinstance(step, Give)]
    assert (event.name, event.data, event.id) == ("decision", {"a": 1}, "7")
    listens = [step.send.headers for step in made if isinstance(step, Listen)]
    assert [one.get("last-event-id") for one in listens] == [None, "7"]


def test_a_field_of_an_event_is_read_as_the_standard_says() -> None:
    reading = Reading()
    told = [reading.line(line) for line in ("retry: 1500", "data:x", "data", "", "event: gone", "")]
    assert [one and (one.name, one.data) for one in told] == [None, None, None, ("message", "x\n"), None, None]
    assert reading.retry_s == 1.5


def test_what_is_no_answer_of_a_node_is_an_error_of_its_own() -> None:
    with pytest.raises(ServerError, match="cannot be read"):
        played(submit(), Reply(200, JSON, b"<html>"))
    with pytest.raises(ServerError, match="status 500"):
        played(submit(), Reply(500, {}, b"<html>"))


def test_the_records_have_the_fields_that_surfaces_show() -> None:
    pairs = {
        "Submitted": shapes.Submitted,
        "Verdict": shapes.Verdict,
        "Ruling": shapes.Ruled,
        "Outcome": shapes.Outcome,
        "FeedRow": shapes.FeedRow,
        "Limit": shapes.Limit,
        "Halted": shapes.Halted,
        "Quarantined": shapes.Quarantined,
        "Flying": shapes.Flying,
        "Reserved": shapes.Reserved,
    }
    from lictor import client

    for name, shape in pairs.items():
        assert set(getattr(client, name).__struct_fields__) == set(shape.__annotations__), name
    assert set(shapes.Decision.__annotations__) - set(client.Decision.__struct_fields__) == {"number"}


def test_what_a_newer_node_adds_is_passed_over() -> None:
    told = msgspec.json.decode(ADMITTED[:-1] + b',"more":1}', type=Submitted)
    assert told.admitted
