"""A node for code without an event loop: many threads, a real web server, time-outs, and a stop while threads wait."""

import asyncio
import json
import os
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from tests.inputs.payouts import Payout, payouts

from lictor import BlockingNode, CsvFile, JournalError, NodeStoppedError, Quality, Range, Settings, allow, hold

FAST = Settings(tune_collector=False)


def gated():
    """An App whose effector waits until its gate is opened, and the gate."""
    app, done = payouts()
    opened = threading.Event()

    @app.effector(idempotent=False, timeout_s=60, slots=4)
    def wait(call, account: str, amount: int) -> str:
        assert opened.wait(30)
        done.append((account, amount))
        return "sent"

    app.plans["Payout"] = lambda payout: wait.action(payout.account, payout.amount)
    return app, done, opened


def test_submit_and_outcome_from_many_threads(tmp_path):
    app, done = payouts()
    with BlockingNode(app, str(tmp_path / "a.db"), settings=FAST) as node, ThreadPoolExecutor(16) as threads:

        def pay(i):
            handle = node.submit(Payout(f"a{i % 7}", i + 1), key=f"k{i % 200}", source=f"s{i % 200}", timeout_s=60)
            return handle.outcome(timeout_s=60), handle.duplicate

        ends = list(threads.map(pay, range(400)))
    results = [outcome.result if outcome is not None else None for outcome, _ in ends]
    assert results.count("succeeded") == 200
    assert results.count(None) == 200, "the same key with another amount"
    assert len({amount % 200 for _, amount in done}) == len(done) == 200


class Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


def test_behind_a_wsgi_server_with_a_thread_for_each_request():
    app, done = payouts(limit=1_000)
    with BlockingNode(app, settings=FAST) as node:

        def web(environ, start_response):
            body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            handle = node.submit(Payout(body["account"], body["amount"]), source="web", key=body["key"])
            outcome = handle.outcome(timeout_s=30)
            start_response("200 OK" if handle.admitted else "409 Conflict", [("Content-Type", "application/json")])
            answer = {"id": handle.id, "code": handle.verdict.code, "result": outcome and outcome.result}
            return [json.dumps(answer).encode()]

        server = make_server("127.0.0.1", 0, web, Threaded, Quiet)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()

        def post(i):
            body = json.dumps({"account": f"a{i}", "amount": 100, "key": f"k{i}"}).encode()
            request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}", body, method="POST")
            try:
                with urllib.request.urlopen(request, timeout=30) as response:
                    return response.status, json.load(response)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, json.load(error)

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(post, range(16)))
        server.shutdown()
        server.server_close()
        serving.join()
    assert sorted(status for status, _ in answers) == [200] * 10 + [409] * 6
    assert {body["result"] for status, body in answers if status == 200} == {"succeeded"}
    assert {body["code"] for status, body in answers if status == 409} == {"BUDGET_EXCEEDED"}
    assert len(done) == 10


def test_a_time_out_leaves_the_decision_alone():
    app, done, opened = gated()
    with BlockingNode(app, settings=FAST) as node:
        handle = node.submit(Payout("a", 5))
        with pytest.raises(TimeoutError):
            handle.outcome(timeout_s=0.01)
        assert not handle.done
        opened.set()
        assert handle.outcome(timeout_s=30).result == "succeeded"
        assert handle.done
        assert handle.outcome() == handle.outcome()
    assert done == [("a", 5)]


def test_threads_that_wait_when_it_stops_are_told():
    app, _, opened = gated()
    node = BlockingNode(app, settings=Settings(drain_s=0.01, tune_collector=False))
    node.start()
    handles = node.submit_many([Payout("a", i + 1) for i in range(10)])
    with ThreadPoolExecutor(12) as threads:
        waiting = [threads.submit(handle.outcome) for handle in handles]
        stopping = threads.submit(node.stop)
        errors = [future.exception(30) for future in waiting]
        opened.set()
        stopping.result(30)
    assert {type(error) for error in errors} == {NodeStoppedError}
    for call in (
        lambda: node.submit(Payout("a", 1)),
        lambda: node.halt(by="ann"),
        handles[-1].outcome,
        node.quarantined,
    ):
        with pytest.raises(NodeStoppedError):
            call()
    node.stop()


def test_all_of_a_node_is_there(tmp_path):
    app, done = payouts(Quality(ranges={"amount": Range(1, 100)}))

    @app.gate(Payout, family="authorization")
    def large(payout, state):
        return hold("needs a person") if payout.amount == 77 else allow()

    file = tmp_path / "pay.csv"
    file.write_text("account,amount\na,1\nb,500\nc,x\n")
    with BlockingNode(app, settings=FAST) as node:
        pulled = node.pull(CsvFile(file, Payout, source="feed"))
        assert pulled.verdicts == {"admitted": 1, "refused": 2}
        schema, out_of_range = node.quarantined("feed")
        node.discard(schema.id, by="ann")
        assert node.replay(out_of_range.id, by="ann").outcome(timeout_s=30).result == "succeeded"
        held = node.submit(Payout("d", 77), source="feed")
        assert (held.verdict.result, held.admitted) == ("held", False)
        node.approve(held.id, by="ann")
        assert held.outcome(timeout_s=30).result == "succeeded"
        later = node.submit(Payout("e", 5), source="feed", expires_in_s=50, not_before_us=2**62)
        assert node.cancel(later.id, by="ann") or later.verdict.code
        node.halt(by="ann")
        assert node.submit(Payout("f", 1), source="feed").verdict.code == "HALTED"
        node.resume(by="ann")
        node.set_limit("cash", 600, by="ann", scope="default")
        assert node.submit(Payout("g", 99), source="feed").verdict.code == "BUDGET_EXCEEDED"
        assert "held" in repr(held) or "admitted" in repr(held)
    assert {account for account, _ in done} == {"a", "b", "d"}


def test_it_says_when_its_loop_would_wait_for_itself():
    app, _ = payouts()
    caught = []
    with BlockingNode(app, settings=FAST) as node:

        async def inside():
            try:
                node.submit(Payout("a", 1))
            except RuntimeError as error:
                caught.append(str(error))

        node.wait(inside())
    assert "async" in caught[0]


def test_a_child_of_a_fork_is_told_that_it_has_no_node():
    app, _ = payouts()
    with BlockingNode(app, settings=FAST) as node:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                node.submit(Payout("a", 1))
            except NodeStoppedError:
                os.write(write, b"told")
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            assert pipe.read() == b"told"
        os.waitpid(child, 0)
        assert node.submit(Payout("a", 1)).admitted


def test_a_node_that_cannot_start_leaves_no_thread_behind(tmp_path):
    app, _ = payouts()
    before = set(threading.enumerate())
    with BlockingNode(app, str(tmp_path / "a.db"), settings=FAST), pytest.raises(JournalError):
        BlockingNode(app, str(tmp_path / "a.db"), settings=FAST).start()
    assert set(threading.enumerate()) <= before


def test_it_needs_no_loop_and_minds_none():
    async def main():
        app, _ = payouts()
        with BlockingNode(app, settings=FAST) as node:
            return node.submit(Payout("a", 1)).admitted

    assert asyncio.run(main())
