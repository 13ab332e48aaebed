"""The API over real sockets: each answer's status, what it is bound by, and what one who is scoped does not see."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.surfaces.http.served import client, key, served

DECISIONS = "/v1/decisions"
NDJSON = {"content-type": "application/x-ndjson"}


def payout(amount: int = 5, account: str = "a-17", **more):
    return {"kind": "Payout", "payload": {"account": account, "amount": amount}, **more}


def run(scenario, **options):
    async def main():
        async with served(**options) as http:
            return await scenario(http)

    return asyncio.run(main())


def test_a_verdict_is_told_by_status() -> None:
    async def scenario(http):
        done = await http.post(DECISIONS, json=payout(), headers={"prefer": "wait=10", "idempotency-key": '"k"'})
        again = await http.post(DECISIONS, json=payout(key="k"))
        other = await http.post(DECISIONS, json=payout(6, key="k"))
        refused = await http.post(DECISIONS, json=payout(account="nobody"))
        held = await http.post(DECISIONS, json=payout(700), params={"wait_s": "0.01"})
        return done, again, other, refused, held

    done, again, other, refused, held = run(scenario)
    assert [each.status_code for each in (done, again, other, refused, held)] == [200, 200, 422, 422, 202]
    assert done.headers["preference-applied"] == "wait=10"
    assert done.headers["location"] == f"/v1/decisions/{done.json()['id']}"
    assert again.json()["duplicate"]
    assert again.json()["id"] == done.json()["id"]
    assert other.json()["verdict"]["code"] == "KEY_REUSED"
    assert refused.json()["verdict"]["rulings"][0]["seen"] == {"account": "nobody"}
    assert held.json()["verdict"]["result"] == "held"


def test_a_held_decision_is_approved_and_done() -> None:
    async def scenario(http):
        held = (await http.post(DECISIONS, json=payout(700))).json()["id"]
        boss = await key(http.node, "boss", "approve")
        own = await http.post(f"{DECISIONS}/{held}/approve", json={})
        async with client(http.server, boss) as other:
            yes = await other.post(f"{DECISIONS}/{held}/approve", json={"reason": "fine"})
            late = await other.post(f"{DECISIONS}/{held}/deny", json={})
            feed = (await other.get("/v1/outcomes", params={"wait_s": 10})).json()
        return own, yes, late, feed, held

    own, yes, late, feed, held = run(scenario)
    assert own.status_code == 403  # an approver is never the source
    assert yes.json().items() >= {"id": held, "approved": True, "by": "boss"}.items()
    assert late.status_code in {403, 404}
    assert [(row["id"], row["outcome"]["result"]) for row in feed["outcomes"]] == [(held, "succeeded")]


def test_the_same_again_is_approved_for_a_while_and_withdrawn() -> None:
    async def scenario(http):
        held = (await http.post(DECISIONS, json=payout(501))).json()["id"]
        async with client(http.server, await key(http.node, "boss", "approve")) as boss:
            long = await boss.post(f"{DECISIONS}/{held}/approve", json={"again_for_s": 1e9})
            no = await boss.post(f"{DECISIONS}/{held}/deny", json={"again_for_s": 60})
            yes = await boss.post(f"{DECISIONS}/{held}/approve", json={"again_for_s": 3600})
            await http.put("/v1/budgets/cash/limit", json={"limit": "9000", "scope": "default"})
            done = await http.post(DECISIONS, json=payout(501, key="next"), params={"wait_s": "10"})
            listed = await boss.get("/v1/standing")
            gone = await boss.delete("/v1/standing/next", params={"gate": "large"})
            again = await boss.delete("/v1/standing/next")
            waits = await http.post(DECISIONS, json=payout(501))
        return long, no, yes, done, listed, gone, again, waits

    long, no, yes, done, listed, gone, again, waits = run(scenario)
    assert [each.status_code for each in (long, no, yes, done, listed, gone, again, waits)] == [
        400, 400, 200, 200, 200, 200, 404, 202,
    ]  # fmt: skip
    assert done.json()["outcome"]["result"] == "succeeded"
    (row,) = listed.json()["standing"]
    assert (row["decision"], row["by"], row["until_us"]) == (yes.json()["id"], "boss", yes.json()["until_us"])
    assert gone.json() == {"by": "boss", "withdrawn": [row]}
    assert waits.json()["verdict"]["result"] == "held"


def test_lists_are_paged_by_key() -> None:
    async def scenario(http):
        made = [(await http.post(DECISIONS, json=payout(1))).json()["id"] for _ in range(5)]
        pages, after = [], {}
        while True:
            page = (await http.get(DECISIONS, params={"limit": 2, "kind": "Payout", **after})).json()
            pages.append([row["id"] for row in page["decisions"]])
            if page["next"] is None:
                return made, pages
            after = {"after": page["next"]}

    made, pages = run(scenario)
    assert [id_ for page in pages for id_ in page] == made[::-1]
    assert len(pages) == 3


def test_what_is_not_seen_is_not_there() -> None:
    async def scenario(http):
        token = await key(http.node, "acme", "submit", "operate", sources=("local",), tenants=("acme",))
        other = (await http.post(DECISIONS, json=payout(key="theirs"))).json()["id"]
        async with client(http.server, token) as acme:
            own = (await acme.post(DECISIONS, json=payout(key="ours"))).json()["id"]
            seen = [row["id"] for row in (await acme.get(DECISIONS)).json()["decisions"]]
            statuses = [
                (await acme.get(f"{DECISIONS}/{own}")).status_code,
                (await acme.get(f"{DECISIONS}/{other}")).status_code,
                (await acme.get(f"{DECISIONS}/theirs")).status_code,
                (await acme.post(f"{DECISIONS}/{other}/cancel", json={})).status_code,
                (await acme.post(DECISIONS, json=payout(tenant="default"))).status_code,
                (await acme.post(DECISIONS, json=payout(source="feed"))).status_code,
                (await acme.post(DECISIONS, json=payout(parent=other))).status_code,
                (await acme.post("/v1/halts", json={"scope": "all"})).status_code,
                (await acme.get("/metrics")).status_code,
            ]
            feed = (await acme.get("/v1/outcomes", params={"wait_s": 5})).json()["outcomes"]
            budgets = (await acme.get("/v1/budgets")).json()["limits"]
        return own, seen, statuses, feed, budgets

    own, seen, statuses, feed, budgets = run(scenario)
    assert seen == [own]
    assert statuses == [200, 404, 404, 404, 403, 403, 404, 403, 403]
    assert {row["id"] for row in feed} <= {own}
    assert {row["scope"] for row in budgets} == {"acme"}


def test_a_halt_says_what_it_cannot_stop() -> None:
    async def scenario(http):
        slow = (await http.post(DECISIONS, json=payout(1, "slow"))).json()["id"]
        waiting = [(await http.post(DECISIONS, json=payout(1, "slow"))).status_code for _ in range(2)]
        told = (await http.post("/v1/halts", json={"scope": "all", "reason": "stop"})).json()
        refused = await http.post(DECISIONS, json=payout())
        resumed = (await http.delete("/v1/halts", params={"scope": "all"})).json()
        return slow, waiting, told, refused, resumed

    slow, waiting, told, refused, resumed = run(scenario)
    assert waiting == [202, 202]
    assert told["stopped"] == 2  # they wait behind it, for their order key
    assert sum(told["in_flight"].values()) == 1
    assert [each["decision"] for each in told["actions"]] == [slow]
    assert refused.json()["verdict"]["code"] == "HALTED"
    assert resumed["was_halted"]


def test_a_budget_and_a_quarantined_signal_are_steered() -> None:
    async def scenario(http):
        feed = await key(http.node, "feed", "submit")
        async with client(http.server, feed) as source:
            bad = (await source.post(DECISIONS, json=payout(9_999))).json()
        (entry,) = (await http.get("/v1/quarantine")).json()["entries"]
        shown = (await http.get(f"/v1/quarantine/{entry['id']}")).json()
        right = {"payload": {"account": "a-17", "amount": 2}}
        replayed = (await http.post(f"/v1/quarantine/{entry['id']}/replay", json=right)).json()
        await http.put("/v1/budgets/cash/limit", json={"scope": "default", "limit": "7"})
        (limit,) = (await http.get("/v1/budgets")).json()["limits"]
        reset = await http.post("/v1/budgets/cash/reset", json={"scope": "default"})
        return bad, shown, replayed, limit, reset.json()

    bad, shown, replayed, limit, reset = run(scenario)
    assert bad["verdict"]["code"] == "QUARANTINED"
    assert shown["signal"]["payload"] == {"account": "a-17", "amount": 9_999}
    assert replayed["verdict"]["result"] == "admitted"
    assert limit["limit"] == 7
    assert reset["by"] == "local"


class Streaming:
    """A request whose body goes on while its answer comes, over a bare socket."""

    def __init__(self, http) -> None:
        self.http = http

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.http.server.port)
        key, host = self.http.headers["authorization"], f"127.0.0.1:{self.http.server.port}"
        head = f"POST {DECISIONS} HTTP/1.1\r\nhost: {host}\r\nauthorization: {key}\r\ntransfer-encoding: chunked\r\n"
        self.writer.write(f"{head}content-type: application/x-ndjson\r\n\r\n".encode())
        return self

    async def __aexit__(self, *_):
        self.writer.transport.abort()

    def send(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def chunk(self) -> bytes:
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]


def test_lines_are_answered_in_order_while_they_still_come() -> None:
    async def scenario(http):
        async with Streaming(http) as stream:
            stream.send(json.dumps(payout(1, key="l-1")).encode() + b"\n")
            head, first = await stream.head(), await stream.chunk()  # and only now the next
            stream.send(b'{"kind": 7}\n\n' + json.dumps(payout(2, key="l-4")).encode())
            stream.send(b"")
            rest = b""
            while chunk := await stream.chunk():
                rest += chunk
            return head, json.loads(first), [json.loads(line) for line in rest.splitlines()]

    head, first, (bad, last) = run(scenario)
    assert head.startswith(b"HTTP/1.1 200")
    assert (first["line"], first["verdict"]["result"]) == (1, "admitted")
    assert (bad["line"], bad["error"]["code"]) == (2, "MALFORMED")
    assert (last["line"], last["verdict"]["result"]) == (4, "admitted")


def test_who_does_not_read_answers_is_read_from_no_more(monkeypatch) -> None:
    from lictor.surfaces.http import ndjson

    monkeypatch.setattr(ndjson, "AHEAD_MAX", 20)
    line = json.dumps({"kind": "Nothing", "payload": "x" * 500}).encode() + b"\n"

    async def taken(stream) -> int:
        """Lines that fit into the buffers of the sockets before nothing more is taken."""
        for sent in range(0, 200_000, 100):
            stream.send(line * 100)
            try:
                async with asyncio.timeout(1.0):
                    await stream.writer.drain()
            except TimeoutError:
                return sent
        return 200_000

    async def scenario(http):
        async with Streaming(http) as stream:
            return await taken(stream), (await http.get("/healthz")).status_code

    sent, status = run(scenario)
    assert sent < 200_000
    assert status == 200


@pytest.mark.parametrize(
    ("method", "path", "given", "status"),
    [
        ("PATCH", DECISIONS, {}, 405),
        ("GET", "/nothing", {}, 404),
        ("GET", f"{DECISIONS}/{'9' * 5_000}", {}, 404),
        ("GET", "/v1/node", {"headers": {"accept": "text/csv"}}, 406),
        ("POST", DECISIONS, {"content": b"x", "headers": {"content-type": "text/plain"}}, 415),
        ("POST", DECISIONS, {"content": b"x" * 2_000_000, "headers": {"content-type": "application/json"}}, 413),
        ("POST", DECISIONS, {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 400),
        ("POST", DECISIONS, {"json": {"kind": "Payout", "payload": {}, "colour": "red"}}, 400),
        ("GET", DECISIONS, {"params": {"limit": "0"}}, 400),
        ("GET", DECISIONS, {"params": {"colour": "red"}}, 400),
        ("GET", "/v1/node", {"headers": {"authorization": "Bearer lk_local_wrong"}}, 401),
        ("GET", "/v1/node", {"headers": {"host": "evil.example"}}, 421),
        ("GET", "/v1/node", {"headers": {"x-long": "y" * 70_000}}, 431),
    ],
)
def test_what_is_not_understood_gets_its_own_status(method, path, given, status) -> None:
    async def scenario(http):
        return await http.request(method, path, **given)

    answer = run(scenario)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["code"]
    if status == 405:
        assert answer.headers["allow"] == "GET, HEAD, POST"


def test_a_payload_that_is_nested_too_deep_is_kept_out() -> None:
    async def scenario(http):
        body = b'{"kind": "Payout", "payload": ' + b"[" * 60 + b"]" * 60 + b"}"
        return await http.post(DECISIONS, content=body, headers={"content-type": "application/json"})

    assert run(scenario).json()["verdict"]["rulings"][0]["seen"]["reason"] == "depth"


def test_a_whole_number_may_be_written_with_a_point() -> None:
    async def scenario(http):
        times = b'"deadline_us": 4e15, "expires_in_s": 9'
        body = b'{"kind": "Payout", "payload": {"account": "a-17", "amount": 5}, ' + times + b"}"
        whole = await http.post(DECISIONS, content=body, headers={"content-type": "application/json"})
        part = await http.post(DECISIONS, json=payout(deadline_us=0.5))
        return whole.status_code, part.status_code

    assert run(scenario) == (202, 400)


def test_a_full_node_says_when_to_come_again() -> None:
    async def scenario(http):
        http.node.pipeline.inputs.closed = True
        return await http.post(DECISIONS, json=payout())

    full = run(scenario)
    assert full.status_code == 503
    assert full.headers["retry-after"] == "10"
    assert full.json()["verdict"]["code"] == "NOT_ADMITTING"


def test_a_node_that_drains_takes_no_more_and_says_so() -> None:
    async def scenario(http):
        await http.node.drain()
        return await http.post(DECISIONS, json=payout()), await http.get("/readyz")

    refused, ready = run(scenario)
    assert refused.status_code == 503
    assert refused.json()["code"] == "NODE_STOPPED"
    assert "retry-after" in refused.headers
    assert ready.json() == {"ready": False, "codes": ["DRAINING"]}


EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "org.x.Payout", "data": payout()["payload"]}


def test_cloud_events_in_three_modes_are_the_same_decision() -> None:
    async def scenario(http):
        async def post(content, **headers):
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            return await http.post("/v1/cloudevents", content=json.dumps(content), headers=given)

        one = await post(EVENT, content_type="application/cloudevents+json; charset=utf-8")
        attributes = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "%2Fs", "ce_type": "Payout"}
        same = await post(EVENT["data"], content_type="application/json", **attributes)
        many = await post([EVENT, {**EVENT, "id": "2"}, {}], content_type="application/cloudevents-batch+json")
        none = await post({}, content_type="application/json")
        return one, same, many, none

    one, same, many, none = run(scenario)
    assert one.status_code == 202
    assert same.json()["id"] == one.json()["id"]
    first, second, bad = many.json()["answers"]
    assert first["answer"]["duplicate"]
    assert not second["answer"]["duplicate"]
    assert bad["error"]["code"] == "MALFORMED"
    assert none.status_code == 415
