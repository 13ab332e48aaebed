"""The command line against real nodes in real processes, and against the files that they leave."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
from hashlib import sha256

import pytest


def test_a_decision_is_submitted_shown_listed_and_counted(shell) -> None:
    with shell.node() as node:
        done = shell.submit("a-17", 250, "--key", "inv-1", "--wait")
        assert done["verdict"]["result"] == "admitted"
        assert done["verdict"]["reserved"] == [{"budget": "cash", "scope": "default", "amount": 250}]
        assert done["outcome"]["result"] == "succeeded"
        assert done["outcome"]["value"] == "receipt a-17"
        again = shell.submit("a-17", 250, "--key", "inv-1", "--wait")
        assert (again["id"], again["duplicate"], again["outcome"]["result"]) == (done["id"], True, "succeeded")
        refused = shell.submit("a-99", 1, code=1)
        assert refused["verdict"]["code"] == "ACCOUNT_UNKNOWN"
        assert refused["verdict"]["rulings"][0]["seen"] == {"account": "a-99"}
        assert len(shell.bank) == 1
        rows = shell.rows("list")
        assert [row["id"] for row in rows] == [refused["id"], done["id"]]
        assert [row["id"] for row in shell.rows("list", "--code", "ACCOUNT_UNKNOWN")] == [refused["id"]]
        assert shell.rows("list", "--state", "held") == []
        story = shell.json("show", "inv-1")
        assert story["decision"] == done["id"]
        assert story["entries"][0]["text"].startswith("Payout from local")
        assert "receipt a-17" in shell("show", done["id"])[1]
        (cash,) = shell.json("limits")["limits"]
        assert (cash["settled"], cash["reserved"], cash["left"], cash["limit"]) == (250, 0, 750, 1000)
        (fed,) = shell.rows("outcomes")
        assert (fed["id"], fed["key"], fed["outcome"]["result"]) == (done["id"], "inv-1", "succeeded")
        assert shell.rows("outcomes", "--after", str(fed["cursor"])) == []
        assert shell.json("health")["ready"] is True
        assert "lictor_verdicts_total" in shell("metrics")[1]
        code, said = node.end(signal.SIGTERM)
        assert (code, [line["event"] for line in said]) == (0, ["draining", "stopped"])
    assert not (shell.folder / "lictor.db.sock").exists()
    assert shell.json("show", "inv-1")["decision"] == done["id"]  # now from the file


def test_a_held_decision_is_answered_by_someone_else(shell) -> None:
    with shell.node():
        held = shell.submit("a-18", 600, "--key", "big", code=0)
        assert held["verdict"]["code"] == "LARGE"
        assert shell.json("approve", "big", "--by", "local", code=1)["error"]["code"] == "DENIED"
        gates = [{"gate": "large", "approvers": 1, "approved_by": ["ana"]}]
        approved = {"id": held["id"], "approved": True, "by": "ana", "more": 0, "gates": gates, "until_us": None}
        assert shell.json("approve", "big", "--by", "ana") == approved
        assert shell.submit("a-18", 600, "--key", "big", "--wait")["outcome"]["result"] == "succeeded"
        assert shell.json("approve", "big", "--by", "ana", code=3)["error"]["code"] == "NOT_FOUND"
        other = shell.submit("a-18", 601, "--key", "other")
        shell.json("deny", "other", "--by", "ana", "--reason", "no")
        denied = shell.submit("a-18", 601, "--key", "other", "--wait", code=1)
        assert (denied["id"], denied["verdict"]["code"]) == (other["id"], "APPROVAL_DENIED")


def test_halt_resume_limits_and_cancel(shell) -> None:
    with shell.node():
        shell.json("halt", "kind:Payout", "--by", "ana", "--reason", "month end")
        assert shell.submit("a-17", 1, code=1)["verdict"]["code"] == "HALTED"
        assert shell.json("limits")["halts"][0]["reason"] == "month end"
        assert shell.json("resume", "kind:Payout", "--by", "ana")["was_halted"] is True
        assert shell.json("resume", "kind:Payout", "--by", "ana")["was_halted"] is False
        assert shell.submit("a-17", 1, "--wait")["outcome"]["result"] == "succeeded"
        shell.json("limit", "set", "cash", "5", "--scope", "default", "--by", "ana")
        refused = shell.submit("a-17", 5, code=1)
        assert refused["verdict"]["code"] == "BUDGET_EXCEEDED"
        held = shell.submit("a-17", 501)
        assert shell.json("cancel", held["id"], "--by", "ana")["cancelled"] is True
        assert shell.json("cancel", held["id"], "--by", "ana", code=3)["error"]["code"] == "NOT_FOUND"
        assert shell.json("halt", "kindly", code=2)["error"]["hint"].startswith("all, kind:NAME")


def test_what_is_in_doubt_is_resolved_by_a_person(shell) -> None:
    with shell.node():
        done = shell.submit("slow", 10, "--wait", "--wait-s", "1", code=1)
        assert done["outcome"] is None
        assert any(reason["code"] == "IN_DOUBT" for reason in shell.json("health")["reasons"])
        settled = shell.json("resolve", done["id"], "--result", "succeeded", "--settled", "cash=7", "--by", "ana")
        assert settled["new"] is True
        (cash,) = shell.json("limits")["limits"]
        assert (cash["settled"], cash["reserved"]) == (7, 0)
        assert shell.json("resolve", "no-such-ref", "--result", "failed", code=3)["error"]["code"] == "NOT_FOUND"


def test_quarantine_is_judged(shell) -> None:
    with shell.node():
        bad = shell.submit("a-17", 9_000, "--source", "feed", code=1)
        assert bad["verdict"]["code"] == "QUARANTINED"
        (entry,) = shell.rows("quarantine", "list")
        assert shell.json("quarantine", "show", entry["id"])["signal"]["payload"] == {"account": "a-17", "amount": 9000}
        corrected = '{"account": "a-17", "amount": 90}'
        replayed = shell.json("quarantine", "replay", entry["id"], "--payload", corrected, "--by", "ana")
        assert replayed["verdict"]["result"] == "admitted"
        assert shell.rows("quarantine", "list") == []
        shell.submit("a-17", 9_001, "--source", "feed", code=1)
        (entry,) = shell.rows("quarantine", "list")
        shell.json("quarantine", "discard", entry["id"], "--by", "ana")
        assert shell.json("quarantine", "show", entry["id"], code=3)["error"]["code"] == "NOT_FOUND"


def test_a_killed_node_leaves_a_stale_socket_that_hinders_nobody(shell) -> None:
    with shell.node() as node:
        done = shell.submit("a-17", 250, "--key", "inv-1", "--wait")
        shell.submit("a-18", 600, "--key", "big")
        node.end(signal.SIGKILL)
    socket = shell.folder / "lictor.db.sock"
    assert stat.S_ISSOCK(socket.stat().st_mode)
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert [row["key"] for row in shell.rows("list")] == ["big", "inv-1"]  # read-only, past the stale socket
    assert shell.json("submit", "Payout", "{}", code=4)["error"]["code"] == "NODE_STOPPED"
    assert shell.json("health", code=4)["error"]["code"] == "NODE_STOPPED"
    shell.json("approve", "big", "--by", "ana")  # the lock is free: written as a node would
    shell.json("halt", "tenant:other", "--by", "ana")
    assert shell.json("verify")["clean"] is True
    with shell.node() as node:
        assert node.ready["epoch"] > 2
        assert shell.submit("a-18", 600, "--key", "big", "--wait")["outcome"]["result"] == "succeeded"
        assert shell.submit("a-17", 250, "--key", "inv-1", "--wait")["id"] == done["id"]
        assert [halt["scope"] for halt in shell.json("limits")["halts"]] == ["tenant:other"]
        assert [line.split()[1:] for line in shell.bank] == [["a-17", "250"], ["a-18", "600"]]
        assert node.end(signal.SIGINT)[0] == 0
    assert shell.json("verify")["clean"] is True


def test_a_node_whose_disk_fails_says_so_and_ends(shell) -> None:
    with shell.node() as node:
        first = shell.submit("a-17", 250, "--key", "inv-1", "--wait")
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (1, 1))
        assert shell.json("submit", "Payout", '{"account": "a-17", "amount": 1}', code=4)["error"]["code"] in {
            "NODE_STOPPED",
            "JOURNAL_IO",
        }
        out, err = node.process.communicate()
        assert node.process.returncode == 5, err
        assert json.loads(out.splitlines()[-1])["event"] == "failed"
        assert b"Traceback" not in err
    assert shell.json("verify")["clean"] is True
    with shell.node():
        assert shell.submit("a-17", 250, "--key", "inv-1", "--wait")["id"] == first["id"]


def test_a_second_node_and_a_writer_without_socket_are_turned_away(shell) -> None:
    with shell.node():
        second = subprocess.run(
            [sys.executable, "-m", "lictor", "run", "payouts:app"],
            cwd=shell.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 4
        assert second.stderr.startswith("JOURNAL_LOCKED: ")
        assert "Traceback" not in second.stderr
        assert shell.json("health")["alive"] is True  # the socket of the first is still there
        (shell.folder / "lictor.db.sock").unlink()
        assert shell.json("halt", code=4)["error"]["code"] == "JOURNAL_LOCKED"
        assert shell.rows("list") == []  # reading needs no lock


def test_without_a_node_a_decision_can_bring_its_own(shell) -> None:
    done = shell.submit("a-17", 250, "--app", "payouts:app", "--wait")
    assert done["outcome"]["result"] == "succeeded"
    assert len(shell.bank) == 1
    held = shell.submit("a-17", 501, "--app", "payouts:app")
    assert held["verdict"]["result"] == "held"
    assert shell.json("deny", held["id"], "--by", "ana")["approved"] is False
    assert shell.json("cancel", "nobody", "--by", "ana", code=3)["error"]["code"] == "NOT_FOUND"
    bad = shell.json("limit", "set", "cash", "9", "--scope", "elsewhere", code=3)
    assert "cash/default" in bad["error"]["hint"]
    shell.json("limit", "set", "cash", "9", "--scope", "default")
    assert shell.json("limits")["limits"][0]["limit"] == 9


def test_backup_restore_and_export(shell) -> None:
    with shell.node():
        shell.submit("a-17", 250, "--key", "inv-1", "--wait")
        shell.submit("a-18", 600, "--key", "big")
        copied = shell.json("backup", "copies/one.db")  # beside the live node
        assert copied["clean"] is True
        assert shell.json("backup", "copies/one.db", code=2)["error"]["code"] == "EXISTS"
        done = shell.json("export", "all.jsonl")
        assert done["rows"] == 2
    rows = [json.loads(line) for line in (shell.folder / "all.jsonl").read_text().splitlines()]
    assert {row["key"]: row["outcome"] for row in rows} == {"inv-1": "succeeded", "big": None}
    restored = shell.json("restore", "copies/one.db", "-j", "new.db", "--by", "ana")
    assert restored["open"] == 1
    assert shell.json("restore", "copies/one.db", "-j", "new.db", code=2)["error"]["code"] == "EXISTS"
    assert shell.json("verify", "new.db")["clean"] is True
    with shell.node("payouts:app", "-j", "new.db") as node:
        assert node.ready["epoch"] > 10_000  # above every fencing token that the lost history can have given out
        refused = shell.submit("a-17", 1, "-j", "new.db", code=1)
        assert refused["verdict"]["code"] == "HALTED"  # until a person has looked
        assert "restored from one.db" in refused["verdict"]["rulings"][0]["seen"]["reason"]
        shell.json("resume", "-j", "new.db", "--by", "ana")
        assert shell.submit("a-17", 1, "-j", "new.db", "--wait")["outcome"]["result"] == "succeeded"


def test_damage_is_found(shell) -> None:
    shell.submit("a-17", 250, "--app", "payouts:app", "--wait")
    file = shell.folder / "lictor.db"
    import apsw

    db = apsw.Connection(str(file))
    db.execute("UPDATE commits SET leaves = zeroblob(length(leaves)) WHERE id = (SELECT max(id) FROM commits)")
    db.close()
    code, out, _ = shell("verify")
    assert code == 1
    assert "I14" in out


def test_rehearse_shows_what_other_rules_would_have_said_and_touches_nothing(shell) -> None:
    with shell.node():
        for number, (account, amount) in enumerate([("a-17", 250), ("a-99", 40), ("a-18", 600), ("a-17", 300)]):
            shell.submit(account, amount, "--key", f"k{number}", code=1 if account == "a-99" else 0)
        shell.json("approve", "k2", "--by", "ana")
        shell.submit("a-18", 600, "--key", "k2", "--wait", code=1)  # over the limit when it was approved
        before = shell.bank
        live = shell.json("rehearse", "payouts:app")
        assert (live["decisions"], live["unchanged"], live["changed"], live["undecidable"]) == (4, 4, 0, 0)
    (shell.folder / "changed.py").write_text((shell.folder / "payouts.py").read_text().replace("= True", "= False"))
    fingerprint = sha256((shell.folder / "lictor.db").read_bytes()).hexdigest()
    found = shell.json("rehearse", "changed:app", "--strict", code=1)
    assert found["matrix"] == [{"then": "refused(ACCOUNT_UNKNOWN)", "now": "admitted", "decisions": 1}]
    assert found["assumed"] == 1
    limited = shell.json("rehearse", "payouts:app", "--limit", "cash:default=300")
    assert {(row["then"], row["now"]) for row in limited["matrix"]} == {("admitted", "refused(BUDGET_EXCEEDED)")}
    (use,) = limited["budgets"]
    assert (use["limit_then"], use["limit_now"], use["peak_now"]) == (1000, 300, 250)
    report = json.loads((shell.folder / "out/rehearse/report.json").read_text())
    assert report["rehearsed"]["changed"] == limited["changed"]
    page = (shell.folder / "out/rehearse/report.html").read_text()
    assert "refused(BUDGET_EXCEEDED)" in page
    assert sha256((shell.folder / "lictor.db").read_bytes()).hexdigest() == fingerprint
    assert shell.bank == before
    assert "NOT MET" not in shell("report", "out")[1].splitlines()[0]
    assert shell.json("rehearse", "payouts:app", "--limit", "cahs=1", code=3)["error"]["hint"] == "it has: cash"
    assert shell.json("rehearse", "payouts:app", "--limit", "cash", code=2)["error"]["code"] == "MALFORMED"
    assert shell.json("rehearse", "payouts:app", "--since", "noon", code=2)["error"]["code"] == "MALFORMED"
    assert shell.json("rehearse", "payouts:app", "--since", "2999-01-01")["decisions"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["lst"], 2, 'Did you mean "list"?'),
        (["list", "--stat", "held"], 2, "--state"),
        (["list", "--state", "hold"], 2, "held"),
        (["list"], 3, "there is no journal at lictor.db"),
        (["list", "-j", "payouts.py"], 5, "payouts.py is not a Lictor journal"),
        (["run", "paouts:app"], 2, "did you mean payouts?"),
        (["run", "payouts:ap"], 2, "did you mean payouts:app?"),
        (["run", "payouts:KNOWN_ONLY"], 2, "is a bool, not an App"),
        (["run", "broken:app"], 2, "broken.py:2"),
        (["submit", "Payout", "{a: 1}"], 2, "the payload is not JSON"),
        (["demo", "tradin"], 3, "did you mean trading?"),
        (["report", "nowhere"], 3, "there is no directory nowhere"),
        (["restore", "none.db"], 3, "there is no journal at none.db"),
        (["verify", "none.db"], 3, "there is no journal at none.db"),
    ],
)
def test_mistakes_are_told_in_a_sentence(shell, arguments, code, said) -> None:
    (shell.folder / "broken.py").write_text("\nraise RuntimeError('not today')\n")
    got, out, err = shell(*arguments)
    assert got == code, (out, err)
    assert said in " ".join((out + err).split())
    assert "Traceback" not in out + err
    assert len(err.splitlines()) < 8


def test_near_misses_of_ids_and_keys_are_suggested(shell) -> None:
    done = shell.submit("a-17", 1, "--key", "inv-991", "--app", "payouts:app")
    assert "inv-991" in shell.json("show", "inv-91", code=3)["error"]["hint"]
    assert done["id"] in shell.json("show", done["id"][:-1], code=3)["error"]["hint"]
    assert shell.json("show", "999", code=3)["error"]["code"] == "NOT_FOUND"


def test_one_key_of_two_sources_must_be_told_apart(shell) -> None:
    first = shell.submit("a-17", 1, "--key", "k", "--app", "payouts:app")
    second = shell.submit("a-17", 2, "--key", "k", "--source", "feed", "--app", "payouts:app")
    error = shell.json("show", "k", code=2)["error"]
    assert error["code"] == "AMBIGUOUS"
    assert first["id"] in error["hint"]
    assert second["id"] in error["hint"]
    shell.submit("a-17", 3, "--key", "one", "--app", "payouts:app")
    reused = shell.submit("a-17", 4, "--key", "one", "--app", "payouts:app", code=1)
    assert reused["verdict"]["code"] == "KEY_REUSED"
    assert shell.json("show", "one")["decision"] != reused["id"]  # the key is the first's


def test_a_key_cannot_command_the_terminal(shell) -> None:
    nasty = "k\x1b[2Jgone\u202eabc"
    shell.submit("a-17", 1, "--key", nasty, "--app", "payouts:app")
    for arguments in (["list"], ["show", nasty], ["show", "\x1b[31mred"], ["outcomes"]):
        _, out, err = shell(*arguments)
        assert "\x1b" not in out + err
        assert "\u202e" not in out + err
        assert "\\x1b[" in out + err
    assert shell.rows("list")[0]["key"] == nasty


def test_the_module_runs_and_help_reads_from_the_top(shell) -> None:
    def lictor(*arguments: str, **options):
        return subprocess.run(
            [sys.executable, "-m", "lictor", *arguments],
            cwd=shell.folder,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"COLUMNS": "100"},
            **options,
        )

    shown = lictor("--help")
    assert shown.returncode == 0
    assert shown.stdout.index("lictor run payouts:app") < shown.stdout.index("Run and decide")
    assert shown.stdout.index("Look") < shown.stdout.index("Steer") < shown.stdout.index("Rehearse and prove")
    once = lictor("submit", "Payout", "-", "--app", "payouts.py", "--wait", input='{"account": "a-17", "amount": 3}')
    assert once.returncode == 0, once.stderr
    assert once.stdout.startswith("admitted Payout ")
    assert "succeeded" in once.stdout
    assert lictor("show", "nothing").returncode == 3
