"""The pages as a person uses them, in a real browser on a real socket."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from tests.surfaces.dashboard.stand import Message, Payout

from lictor.runtime.ids import id_text

PAGES = [
    "/", "/decisions?state=refused", "/approvals", "/budgets", "/sources", "/effectors", "/quality",
    "/quarantine", "/rehearse", "/audit", "/halt",
]  # fmt: skip
SERIOUS = frozenset({"serious", "critical"})


@pytest.fixture(scope="module", autouse=True)
def _something(stand) -> None:
    """Something of everything."""
    for n in range(3):
        stand.submit(Payout(f"a-{20 + n}", 10 + n), source="model-a", confidence=0.9)
    stand.submit(Payout("a-99", 40), key="unknown-1")
    stand.submit(Payout("a-30", 3_000, "new roof"), key="held-page")
    stand.submit(Payout("a-30", 70_000), source="feed")
    stand.do(stand.node.submit(Message("ana@x", "hello"), source="agent-7"))


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious_and_nothing_is_too_wide_for_a_phone(visit, path):
    page = visit(path)
    dark = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
    for theme, rules in (("light", {"resultTypes": ["violations"]}), ("dark", dark)):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        found = Axe().run(page, options=rules).response["violations"]
        serious = {v["id"]: [n["html"][:120] for n in v["nodes"]] for v in found if v["impact"] in SERIOUS}
        assert not serious
    page.set_viewport_size({"width": 390, "height": 844})
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert wide <= 0


def test_why_it_was_refused_is_two_clicks_away(visit):
    page = visit("/")
    page.click("table a:has-text('ACCOUNT_UNKNOWN')")
    page.click("tr[data-row] a:has-text('Payout')")
    expect(page.locator(".verdict .headline")).to_have_text("account_known: ACCOUNT_UNKNOWN")
    expect(page.locator(".verdict .seen dd")).to_have_text("a-99")


def test_a_held_decision_is_approved_by_keys_and_its_outcome_seen(visit, stand):
    handle = stand.submit(Payout("a-31", 2_500, "window"), key="held-keys")
    id_ = id_text(handle.id)
    page = visit("/approvals")
    card = page.locator(f"#h-{id_}")
    expect(card).to_contain_text(stand.node.journal.state.open[handle.id].decision.digest.hex())
    expect(card).to_contain_text("cash/acme")
    while not card.evaluate("card => card.classList.contains('on')"):
        page.keyboard.press("j")
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(card).to_have_count(0)
    assert stand.do(handle.outcome()).result == "succeeded"
    page.goto(f"{stand.url}/decisions/{id_}")
    expect(page.locator(".story")).to_contain_text("large approved by ana")
    expect(page.locator(".head .state")).to_contain_text("succeeded")


def test_the_same_again_goes_on_until_it_is_withdrawn(visit, stand):
    first = stand.submit(Payout("a-33", 2_650), key="again-1")
    page = visit("/approvals")
    card = page.locator(f"#h-{id_text(first.id)}")
    card.get_by_label("The same again").select_option("approve for 8 h")
    card.locator("[data-approve]").click()
    expect(card).to_have_count(0)
    assert stand.do(first.outcome()).result == "succeeded"
    second = stand.submit(Payout("a-33", 2_650), key="again-2")
    assert stand.do(second.outcome()).result == "succeeded"
    row = page.locator("section:has(#standing) tr", has_text=id_text(first.id))
    expect(row).to_contain_text("ana")
    page.keyboard.press("Escape")
    row.get_by_role("button", name="Withdraw").click()
    expect(row).to_have_count(0)
    third = stand.submit(Payout("a-33", 2_650), key="again-3")
    expect(page.locator(f"#h-{id_text(third.id)}")).to_have_count(1)


def test_a_refused_approval_is_a_denial_that_can_be_seen(visit, stand):
    handle = stand.submit(Payout("a-32", 2_600), key="held-denied")
    page = visit("/approvals")
    card = page.locator(f"#h-{id_text(handle.id)}")
    card.locator("input[name=reason]").fill("not this month")
    card.locator("[data-refuse]").click()
    expect(page.locator("section:has(#denied)")).to_contain_text("a person refused")
    page.goto(f"{stand.url}/decisions/{id_text(handle.id)}")
    expect(page.locator(".story")).to_contain_text("not this month")


def test_new_decisions_appear_by_themselves(visit, stand):
    page = visit("/decisions?key=live-1")
    expect(page.locator(".empty")).to_be_visible()
    expect(page.locator("[data-live]")).to_have_attribute("data-state", "on")
    stand.submit(Payout("a-33", 5), key="live-1")
    expect(page.locator("tr[data-row]")).to_have_count(1)


def test_a_bulk_action_follows_the_filter_and_asks_first(visit, stand):
    for n in range(4):
        stand.submit(Payout("a-99", 50 + n), key=f"bulk-{n}", tenant="globex")
    page = visit("/decisions?state=refused&tenant=globex")
    page.click("button:has-text('Submit again')")
    expect(page.locator("h1")).to_have_text("Submit again 4 decisions?")
    page.click("button:has-text('Submit again 4')")
    expect(page.locator(".facts")).to_contain_text("ACCOUNT UNKNOWN")
    expect(page.locator(".facts dd")).to_have_text("4")


def test_the_kill_switch_names_its_scope_and_says_what_goes_on(visit, stand):
    running = stand.submit(Payout("a-13", 6), key="runs-on")  # it runs for as long as its time-out
    page = visit("/budgets")
    page.click("a.kill")
    page.click("a:has-text('kind:Payout')")
    page.fill("input[name=reason]", "drill")
    page.click("button:has-text('Halt kind:Payout now')")
    expect(page.locator(".verdict .headline")).to_have_text("Halted. Nothing starts any more.")
    expect(page.locator(".verdict")).to_contain_text("in flight")
    expect(page.locator("section:has(#flying)")).to_contain_text(id_text(running.id))
    expect(page.locator(".banner")).to_contain_text("Halted: kind:Payout")
    assert stand.submit(Payout("a-34", 5)).verdict.code == "HALTED"
    page.click("button:has-text('Resume kind:Payout')")
    expect(page.locator(".banner")).to_have_count(0)
    assert stand.submit(Payout("a-34", 6)).verdict.result == "admitted"


def test_rehearse_says_which_verdicts_change(visit, stand):
    stand.submit(Payout("a-35", 300), key="too-much-then")
    page = visit("/rehearse")
    page.fill("input[name=limits]", "cash=5")
    page.click("button:has-text('Rehearse')")
    expect(page.locator("section:has(#result)")).to_contain_text("refused(BUDGET_EXCEEDED)")
    expect(page.locator("section:has(#result)")).to_contain_text("too-much-then")


def test_quarantine_is_edited_and_replayed(visit, stand):
    stand.submit(Payout("a-36", 80_000), source="feed", key="kept-1")
    page = visit("/quarantine")
    page.click("tr[data-row] a >> nth=0")
    page.fill("textarea", '{"account": "a-36", "amount": 80, "memo": ""}')
    page.check("input[name=edited]")
    page.click("button:has-text('Replay')")
    expect(page.locator("h1")).to_contain_text("Payout")
    expect(page.locator("pre.code").first).to_contain_text('"amount": 80')


def test_keys_lead_everywhere(visit):
    page = visit("/")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("b")
    expect(page.locator("h1")).to_have_text("Budgets")
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.keyboard.type("unknown-1")
    page.keyboard.press("Enter")
    expect(page.locator(".headline")).to_contain_text("ACCOUNT_UNKNOWN")


def test_the_theme_is_kept(visit):
    page = visit("/")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("[data-theme-switch]")
    after = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert after != before
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == after


def test_what_is_written_by_others_is_shown_and_never_run(visit, stand):
    canary = "<img src=x onerror=document.title='fired'><script>document.title='fired'</script>"
    handle = stand.submit(Payout("a-37", 2_900, canary), key=canary)
    for path in ("/approvals", "/decisions", f"/decisions/{id_text(handle.id)}"):
        page = visit(path)
        expect(page.locator("main")).to_contain_text("onerror=")
        assert page.locator("main img").count() == 0
        assert page.title() != "fired"
