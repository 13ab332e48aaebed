"""A history leaves its journal, and is proved without it: by the command line, over HTTP, and by a public key alone."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from tests.surfaces.http.served import client, key, served
from tests.test_housekeeping import live

from lictor.audit.keyring import Keyring
from lictor.runtime.ids import id_text
from lictor.surfaces.cli.output import Exit


@pytest.fixture
def journal(shell):
    """The journal of a node that has decided and stopped, and the key that it signed by."""
    path = shell.folder / "lictor.db"
    live(path, 5)
    shell.public = Keyring(f"{path}.key", os.urandom).keys().public.text()
    return path


@pytest.mark.parametrize("content", ["leaves", "facts", "payloads"])
def test_an_export_is_verified_without_its_journal(shell, journal, content):
    done = shell.json("audit", "export", "history.jsonl", "--content", content)
    assert done["key"] == shell.public
    assert shell.json("audit", "key")["keys"] == [shell.public]
    journal.unlink()
    found = shell.json("verify", "history.jsonl", "--public-key", shell.public)
    assert (found["clean"], found["facts"], found["origin"]) == (True, done["facts"], done["origin"])
    text = Path("history.jsonl").read_text()
    assert ('"payload":' in text, '"body":' in text) == (content == "payloads", content != "leaves")
    lines = text.splitlines(keepends=True)
    Path("cut.jsonl").write_text("".join(lines[:2] + lines[3:]))
    code, out, _ = shell("verify", "cut.jsonl", "--public-key", shell.public)
    assert code == Exit.NO
    assert "fact 3 stands where fact 2 should" in out
    assert "problems" in out


@pytest.mark.usefixtures("journal")
def test_a_checkpoint_that_was_kept_tells_of_a_history_that_was_cut(shell):
    code, notes, _ = shell("audit", "checkpoints", "--notes")
    assert code == 0
    live(shell.folder / "lictor.db", 2)
    shell("audit", "export", "whole.jsonl")
    Path("kept.txt").write_text(notes)
    Path("key.txt").write_text(shell.public + "\n")
    arguments = ("--public-key", "key.txt", "--checkpoint", "kept.txt")
    assert shell.json("verify", "whole.jsonl", *arguments)["clean"]
    newest = shell("audit", "checkpoints", "--notes", "--limit", "1")[1]
    Path("kept.txt").write_text(newest)
    lines = Path("whole.jsonl").read_text().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if '"checkpoint"' in line and n > 0)
    header = json.loads(lines[0]) | {"size": at - 1, "checkpoints": 1}
    cut = [json.dumps(header, separators=(",", ":")) + "\n", *lines[1 : at + 1]]
    Path("cut.jsonl").write_text("".join(cut))
    assert shell.json("verify", "cut.jsonl", "--public-key", shell.public)["clean"]
    code, out, _ = shell("verify", "cut.jsonl", *arguments)
    assert code == Exit.NO
    assert "history was cut" in out


@pytest.mark.usefixtures("journal")
def test_a_decision_is_proved_and_a_key_handed_over(shell):
    rows = shell("list", "--json")[1].splitlines()
    what = json.loads(rows[0])["id"]
    shell("audit", "prove", what, "one.json")
    shell("audit", "prove", what, "all.json", "--content")
    old = shell.public
    told = shell.json("audit", "rotate")
    assert told["from"] == old
    live(shell.folder / "lictor.db", 1)
    shell("audit", "prove", what, "after.json")
    for file in ("one.json", "all.json", "after.json"):
        assert shell.json("verify", file, "--public-key", old)["clean"]
    assert shell.json("verify", "after.json", "--public-key", told["to"])["clean"]
    assert shell("verify", "one.json", "--public-key", told["to"])[0] == Exit.NO
    assert shell.json("verify", "--public-key", told["to"])["clean"]
    forged = Path("all.json").read_text().replace('"body":"', '"body":"A', 1)
    Path("forged.json").write_text(forged)
    assert shell("verify", "forged.json", "--public-key", old)[0] == Exit.NO


@pytest.mark.usefixtures("journal")
def test_what_is_asked_wrongly_is_told(shell):
    assert shell("audit", "export", "history.jsonl")[0] == 0
    assert "nothing is overwritten" in shell("audit", "export", "history.jsonl")[2]
    assert "--public-key" in shell("verify", "history.jsonl")[2]
    assert "no key" in shell("verify", "history.jsonl", "--public-key", "nonsense")[2]
    missing = shell("verify", "history.jsonl", "--public-key", shell.public, "--checkpoint", "none.txt")[2]
    assert "there is no file none.txt" in missing


def test_over_http_a_proof_is_told_to_who_sees_the_decision(shell):
    """What curl writes to a file is what `lictor verify` checks."""

    async def main():
        async with served(journal=str(shell.folder / "lictor.db"), checkpoint_every_s=3_600) as http:
            made = [
                await http.post("/v1/decisions", json={"kind": "Payout", "payload": {"account": "a-17", "amount": n}})
                for n in (1, 2, 3)
            ]
            ids = [one.json()["id"] for one in made]
            early = await http.get(f"/v1/decisions/{ids[0]}/proof")
            node = http.node
            await node.housekeeping.sign(node.journal.tree, now=True)
            proof = await http.get(f"/v1/decisions/{ids[0]}/proof")
            content = await http.get(f"/v1/decisions/{ids[0]}/proof?content=true")
            token = await key(node, "reader", "read")
            blind = await key(node, "blind", "read", sources=("other",))
            async with client(http.server, token) as reader, client(http.server, blind) as other:
                denied = await reader.get(f"/v1/decisions/{ids[0]}/proof?content=true")
                plain = await reader.get(f"/v1/decisions/{ids[0]}/proof")
                hidden = await other.get(f"/v1/decisions/{ids[0]}/proof")
            await node.housekeeping.sign(node.journal.tree, now=True)
            audit = (await http.get("/v1/audit")).json()
            page = (await http.get("/v1/checkpoints?limit=1")).json()["checkpoints"]
            older = (await http.get(f"/v1/checkpoints?after={page[0]['number']}")).json()["checkpoints"]
            asked = {"old": older[0]["size"], "new": page[0]["size"]}
            growth = (await http.get("/v1/checkpoints/consistency", params=asked)).json()
            beyond = await http.get("/v1/checkpoints/consistency?old=1&new=99999")
            return early, proof, content, denied, plain, hidden, audit, page, older, growth, beyond

    early, proof, content, denied, plain, hidden, audit, page, older, growth, beyond = asyncio.run(main())
    assert early.json()["code"] == "NOT_SIGNED"
    assert (denied.status_code, plain.status_code, hidden.status_code, beyond.status_code) == (403, 200, 404, 404)
    assert audit["checkpoint"] == page[0]
    assert (audit["unsigned"], audit["fault"]) == (0, None)
    assert older[0]["number"] == page[0]["number"] - 1
    assert growth["path"]
    Path("proof.json").write_bytes(proof.content)
    Path("content.json").write_bytes(content.content)
    for file in ("proof.json", "content.json"):
        assert shell.json("verify", file, "--public-key", audit["keys"][0])["clean"]
    assert b'"body"' in content.content
    assert b'"body"' not in proof.content


def test_in_memory_nothing_is_proved_and_that_is_told():
    async def main():
        async with served() as http:
            return [
                (await http.get(path)).json()["code"]
                for path in ("/v1/audit", "/v1/checkpoints", f"/v1/decisions/{id_text(1)}/proof")
            ]

    assert asyncio.run(main()) == ["NOT_KEPT", "NOT_KEPT", "NOT_FOUND"]
