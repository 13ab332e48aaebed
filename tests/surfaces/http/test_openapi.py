"""What OpenAPI says of the HTTP API is what it does."""

from __future__ import annotations

import asyncio

from tests.surfaces.http.fuzz import fuzz
from tests.surfaces.http.served import client, served


def test_schemathesis_finds_nothing(tmp_path) -> None:
    found = asyncio.run(fuzz(tmp_path, examples=3, options=("--phases", "fuzzing,stateful")))
    assert found.failures == 0, found.text
    assert found.code == 0, found.text
    assert found.cases >= 100


def test_schemathesis_would_find_what_is_not_as_it_is_said(tmp_path, monkeypatch) -> None:
    from lictor.surfaces.http import api_node

    async def main():
        async def broken(asked):
            return answer({"kinds": 7})  # noqa: F821 - runs as code of the module, which has it

        monkeypatch.setattr(api_node.kinds, "__code__", broken.__code__)
        options = ("--phases", "fuzzing", "--include-path", "/v1/kinds")
        return await fuzz(tmp_path, examples=1, options=options)

    assert asyncio.run(main()).failures


def test_kinds_are_told_only_to_whom_shows_a_key() -> None:
    async def main():
        async with served() as http, client(http.server) as stranger:
            known = (await http.get("/openapi.json")).json()
            return known, (await stranger.get("/openapi.json")).json()

    known, unknown = asyncio.run(main())
    assert known["components"]["schemas"]["Submit"]["properties"]["kind"] == {"enum": ["Payout"]}
    assert "Payout" not in str(unknown)
    assert {path: set(known["paths"][path]) for path in known["paths"]} == {
        path: set(unknown["paths"][path]) for path in unknown["paths"]
    }


def test_each_operation_says_who_may() -> None:
    async def main():
        async with served() as http:
            return (await http.get("/openapi.json")).json()

    document = asyncio.run(main())
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    assert len({each["operationId"] for each in operations}) == len(operations) > 30
    for each in operations:
        assert (each["security"] == []) == (each["x-permission"] == "public")
