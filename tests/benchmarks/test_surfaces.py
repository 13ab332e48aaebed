"""The benchmark of the surfaces in small: real servers, real sockets, real files, and a report that is honest."""

from __future__ import annotations

import asyncio
import json

import pytest
from benchmarks.surfaces import figures, lists, suites, tamper
from benchmarks.surfaces.drive import drive, serving, watched

from lictor.surfaces.evidence import Evidence


def test_submits_are_driven_and_watched(tmp_path) -> None:
    with serving("lictor", tmp_path) as server:
        with watched(server, 3, 1.5) as seen:
            sample = drive("single", server, 4, 0.3)
        many = drive("ndjson", server, 1, 0.5)
    assert sample["done"] > 0
    assert (sample["wrong"], many["wrong"], seen["wrong"]) == ({}, {}, {})
    assert (sample["connections"], seen["connections"]) == (4, 3)
    assert seen["done"] > 0


def test_a_bare_route_is_driven_the_same_way(tmp_path) -> None:
    with serving("bare", tmp_path) as server:
        sample = drive("single", server, 2, 0.2)
    assert sample["done"] > 0
    assert sample["wrong"] == {}


def test_lists_are_asked_of_a_filled_journal(tmp_path) -> None:
    path = tmp_path / "filled.db"
    asyncio.run(lists.fill(path, 5_000))
    sample = asyncio.run(lists.measure(path, 1))
    assert sample["asked"] == 3 * len(lists.FILTERS)
    assert sample["p99_ms"] >= sample["p50_ms"] > 0
    assert sample["page p99_ms"] > 0


def test_all_that_is_tampered_with_is_counted() -> None:
    whole = b'{"a":1}\n{"b":2}\n{"c":3}\n'
    done = [what for what, _ in tamper.tampered(whole)]
    assert {what: done.count(what) for what in done} == {"flipped": 24, "removed": 3, "repeated": 3, "moved": 6}


def test_the_figures_are_judged_and_what_was_not_measured_is_not_met(tmp_path) -> None:
    evidence = Evidence("surfaces", command="a test", started_us=0)
    single = [{"per_second": 1_000.0, "wrong": {}}]
    seen = {"viewers": 2, "viewers_wrong": {}, "events_per_second": 4.0}
    samples: figures.Samples = {
        "single": single,
        "bare": [{"per_second": 2_000.0, "wrong": {"500": 1}}],
        "watched": [{"per_second": 990.0, "wrong": {}, **seen}],
        "lists": [{"p50_ms": 1.0, "p99_ms": 300.0}],
        "tamper": [{"flipped": 10, "flipped found": 9}],
        "authorization": [{"passed": 9, "run": 9, "skipped": 0}],
        "mcp": [{"passed": 8, "run": 9, "skipped": 0}],
    }
    figures.show(evidence, samples, 2)
    shows = {one["id"]: one for one in json.loads(evidence.write(tmp_path, ended_us=1).read_bytes())["shows"]}
    assert shows["S5 single of a bare route"]["value"] == pytest.approx(0.5)
    assert shows["S4 throughput lost to 2 viewers"]["value"] == pytest.approx(0.01)
    met = {name for name, one in shows.items() if one["met"]}
    assert {
        "S5 single of a bare route",
        "S4 throughput lost to 2 viewers",
        "S2 authorization matrix as declared",
    } <= met
    unmet = {
        "S2 schemathesis cases", "S2 tampering found, flipped", "S2 tampering found, moved",
        "S4 lists, any filter, p99", "S5 HTTP submits, one a request", "S5 HTTP submits, NDJSON",
        "S5 answers that were not good",
    }  # fmt: skip
    assert not unmet & met
    assert shows["S2 schemathesis cases"]["value"] is None


def test_a_suite_that_fails_in_part_is_counted_as_what_passed(tmp_path) -> None:
    suite = tmp_path / "test_some.py"
    suite.write_text("import pytest\ndef test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pytest.skip('why')\n")
    assert suites.passed(tmp_path, str(suite)) == {"passed": 1, "run": 2, "skipped": 1}
