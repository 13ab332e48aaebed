"""The pages over plain HTTP: who sees what, what a form may do, and what it refuses."""

from __future__ import annotations

import re
from contextlib import contextmanager

import httpx2
import pytest
from tests.surfaces.dashboard.stand import Payout, key

from lictor.runtime.ids import id_text


@pytest.fixture(scope="module")
def client(stand):
    with httpx2.Client(base_url=stand.url, headers={"authorization": f"Bearer {stand.admin}"}) as made:
        yield made


def with_key(stand, *roles, **more):
    token = stand.do(key(stand.node, f"key-{len(stand.node.journal.state.grants)}", *roles, **more))
    return httpx2.Client(base_url=stand.url, headers={"authorization": f"Bearer {token}"})


@contextmanager
def logged_in(stand):
    with httpx2.Client(base_url=stand.url) as client:
        client.post("/login", data={"key": stand.admin})
        yield client


def test_no_script_or_style_stands_in_a_page(client):
    answer = client.get("/")
    assert "script-src 'self'; style-src 'self'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", answer.text)


def test_static_files_come_with_their_licences_and_nothing_else_does(client):
    page = client.get("/").text
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        assert client.get(address).status_code == 200
    assert "Permission is hereby granted" in client.get("/static/v/vendor/uplot.LICENSE.txt").text
    assert client.get("/static/v/vendor/htmx.LICENSE.txt").status_code == 200
    assert client.get("/static/v/../page.py").status_code == 404
    assert client.get("/static/v/%2e%2e/page.py").status_code == 404


def test_htmx_gets_the_living_part_alone(client):
    part = client.get("/", headers={"hx-request": "true"}).text
    assert part.lstrip().startswith('<div id="live"')
    assert "<html" not in part


def test_nobody_is_led_to_the_login(stand):
    with httpx2.Client(base_url=stand.url) as nobody:
        answer = nobody.get("/decisions?state=held", headers={"accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=%2Fdecisions")


def test_a_scoped_key_sees_its_own_and_nothing_of_others(stand):
    own = stand.submit(Payout("a-20", 3), source="model-a", key="mine")
    other = stand.submit(Payout("a-21", 3), source="billing", key="theirs")
    held = stand.submit(Payout("a-22", 2_800), source="billing", key="theirs-held")
    with with_key(stand, "read", sources=["model-a"]) as scoped:
        listed = scoped.get("/decisions").text
        assert "mine" in listed
        assert "theirs" not in listed
        assert scoped.get(f"/decisions/{id_text(own.id)}").status_code == 200
        assert scoped.get(f"/decisions/{id_text(other.id)}").status_code == 404
        assert scoped.get("/decisions?q=theirs").text.count("no decision has the id or key") == 1
        assert id_text(held.id) not in scoped.get("/approvals").text
        assert "billing" not in scoped.get("/sources").text
        for page in ("/halt", "/decisions", "/quarantine"):
            assert "billing" not in scoped.get(page).text, page
        for whole in ("/", "/effectors", "/quality", "/audit", "/rehearse"):
            assert scoped.get(whole).status_code == 403
    with with_key(stand, "read", tenants=["acme"]) as scoped:
        assert "globex" not in scoped.get("/halt").text


def test_a_reader_changes_nothing(stand):
    held = stand.submit(Payout("a-23", 2_700), key="held-reader")
    with with_key(stand, "read") as reader:
        what = f"/decisions/{id_text(held.id)}"
        for path, fields in (
            ("/halt", {"scope": "all"}),
            ("/resume", {"scope": "all"}),
            ("/budgets", {"budget": "cash", "scope": "acme", "limit": "1"}),
            ("/sources", {"source": "feed"}),
            (f"{what}/steer", {"action": "cancel"}),
            (f"{what}/answer", {"answer": "approve"}),
            ("/decisions/bulk", {"action": "cancel", "open": "yes", "sure": "yes"}),
        ):
            assert reader.post(path, data=fields).status_code == 403, path
        assert "data-approve" not in reader.get("/approvals").text
    assert stand.node.journal.state.open[held.id].state == "held"
    assert not stand.node.journal.state.halts


def test_what_is_no_number_is_told_so(stand):
    held = stand.submit(Payout("a-24", 2_700), key="held-number")
    with with_key(stand, "admin") as admin:
        for text in ("x", "\u00b2", "9" * 5_000):
            fields = {"action": "resolve", "result": "failed", "ordinal": text}
            assert admin.post(f"/decisions/{id_text(held.id)}/steer", data=fields).status_code == 400
            assert admin.post("/rehearse", data={"period": text}).status_code == 200


def test_a_cookie_alone_changes_nothing(stand):
    with logged_in(stand) as browser:
        assert browser.get("/halt").status_code == 200
        assert browser.post("/halt", data={"scope": "all"}).status_code == 403
        token = re.search(r'name="csrf" value="([^"]+)"', browser.get("/halt").text)[1]
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert browser.post("/halt", data={"scope": "all", "csrf": token}, headers=elsewhere).status_code == 403
        assert not stand.node.journal.state.halts
        assert browser.post("/halt", data={"scope": "kind:Order", "csrf": token}).status_code == 303
        assert "kind:Order" in stand.node.journal.state.halts
        assert browser.post("/resume", data={"scope": "kind:Order", "csrf": token}).status_code == 303


def test_an_approval_is_for_what_the_page_showed(stand, client):
    held = stand.submit(Payout("a-24", 2_600), key="held-digest")
    path = f"/decisions/{id_text(held.id)}/answer"
    answer = client.post(path, data={"answer": "approve", "digest": "00" * 32})
    assert answer.status_code == 400
    assert "not what the page showed" in answer.text
    assert stand.node.journal.state.open[held.id].state == "held"


def test_who_has_decided_does_not_approve(stand):
    held = stand.submit(Payout("a-25", 2_500), source="ana", key="held-own")
    digest = stand.node.journal.state.open[held.id].decision.digest.hex()
    with logged_in(stand) as ana:
        token = re.search(r'name="csrf" value="([^"]+)"', ana.get("/halt").text)[1]
        path = f"/decisions/{id_text(held.id)}/answer"
        answer = ana.post(path, data={"answer": "approve", "digest": digest, "csrf": token})
    assert answer.status_code == 403
    assert stand.node.journal.state.open[held.id].state == "held"


def test_an_approval_card_says_what_it_leaves_and_what_was_approved_last(stand, client):
    first = stand.submit(Payout("a-26", 2_100, "chairs"), key="held-first", tenant="globex")
    stand.do(stand.node.approve(first.id, by="ben"))
    assert stand.do(first.outcome()).result == "succeeded"
    stand.submit(Payout("a-26", 2_400, "chairs"), key="held-second", tenant="globex")
    page = client.get("/approvals").text
    card = page[page.index("held-second") :]
    assert re.search(r"Reserves 2,400 of <b>cash/globex</b>: [\d,]+ left now, <b class=\"\">[\d,]+ after", card)
    assert re.search(r'class="changed"><th scope="row">amount</th><td><code>2400</code></td><td><code>2100', card)


def test_a_card_for_two_persons_says_who_has_approved_and_what_both_would_leave(stand, client):
    held = stand.submit(Payout("a-27", 5_100), key="held-two", tenant="globex")
    id_ = id_text(held.id)
    assert "<b>0 of 2 approved</b>." in _card(client, id_)
    digest = stand.node.journal.state.open[held.id].decision.digest.hex()
    asked = {"answer": "approve", "digest": digest}
    assert client.post(f"/decisions/{id_}/answer", data={**asked, "again_for_s": "3600"}).status_code == 403
    stand.do(stand.node.approve(held.id, by="ann"))
    card = _card(client, id_)
    assert "<b>1 of 2 approved</b>: ann." in card
    assert re.search(r"Reserves 5,100 of <b>cash/globex</b>: [\d,]+ left now, <b class=\"\">[\d,]+ after", card)
    assert "again_for_s" not in card
    assert client.post(f"/decisions/{id_}/answer", data=asked).status_code == 303
    assert stand.do(held.outcome()).result == "succeeded"


def _card(client, id_: str) -> str:
    page = client.get("/approvals").text
    return page[page.index(f'id="h-{id_}"') :].split("</article>")[0]


def test_what_stands_is_listed_and_withdrawn_by_who_may_approve_it(stand, client):
    held = stand.submit(Payout("a-28", 2_700), key="stands")
    stand.do(stand.node.approve(held.id, by="ann", again_for_s=3_600))
    id_ = id_text(held.id)
    withdraw = f"/approvals/standing/{id_}"
    assert f'action="{withdraw}"' in client.get("/approvals").text
    with with_key(stand, "read") as reader:
        page = reader.get("/approvals").text
        assert id_ in page
        assert withdraw not in page
        assert reader.post(withdraw, data={"gate": "large"}).status_code == 403
    with with_key(stand, "approve", tenants=["globex"]) as other:
        assert id_ not in other.get("/approvals").text
        assert other.post(withdraw, data={"gate": "large"}).status_code == 404
    assert client.post(withdraw, data={"gate": "other"}).status_code == 404
    assert client.post(withdraw, data={"gate": "large"}).status_code == 303
    assert withdraw not in client.get("/approvals").text
    told = client.get("/audit").text
    assert "approved for the next ones" in told
    assert "withdrawn by ana" in told


def test_a_refused_one_is_submitted_again_once(stand, client):
    refused = stand.submit(Payout("a-99", 77), key="again-please")
    path = f"/decisions/{id_text(refused.id)}/steer"
    first, second = (client.post(path, data={"action": "again"}).headers["location"] for _ in range(2))
    assert first == second != f"/decisions/{id_text(refused.id)}"
    assert "agent-7" in client.get(first).text


def test_a_limit_is_set_for_its_scope(stand, client):
    stand.submit(Payout("a-27", 5), tenant="globex")
    answer = client.post("/budgets", data={"budget": "cash", "scope": "globex", "limit": "123_456"})
    assert answer.status_code == 303
    assert stand.node.journal.state.balances["cash", "globex"].limit == 123_456
    assert "123,456" in client.get("/budgets").text
    assert client.post("/budgets", data={"budget": "cash", "scope": "globex", "limit": "much"}).status_code == 400


def test_what_is_wrong_says_what_to_do(stand, client):
    stand.submit(Payout("a-28", 5), key="nearly-this")
    answer = client.get("/decisions/nearly-thi")
    assert answer.status_code == 404
    assert "did you mean nearly-this" in answer.text
    assert "no kind" in client.post("/halt", data={"scope": "kind:Nothing"}).text


def test_a_module_is_loaded_for_an_admin_alone(stand):
    with with_key(stand, "read", "operate") as operator:
        answer = operator.post("/rehearse", data={"app": "tests.surfaces.dashboard.stand:payouts"})
        assert "takes the role admin" in answer.text


def test_pages_go_on_below_the_last_row(stand, client):
    for n in range(60):
        stand.submit(Payout("a-98", n), source="billing", key=f"many-{n}")
    first = client.get("/decisions?source=billing&code=ACCOUNT_UNKNOWN").text
    older = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    second = client.get(older).text
    rows = re.findall(r'id="d-(\w+)"', first + second)
    assert len(rows) == len(set(rows)) == 60
