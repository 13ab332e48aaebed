"""The parts, in the order in which they run, and the module that each is."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from benchmarks.failures.part import Findings, Settings

PARTS = {
    "virtual_f2": "benchmarks.failures.virtual.f2",
    "virtual_f3": "benchmarks.failures.virtual.f3",
    "virtual_f5": "benchmarks.failures.virtual.f5",
    "virtual_without": "benchmarks.failures.virtual.without",
    "control": "benchmarks.failures.control",
    "blindness": "benchmarks.failures.blindness",
    "tradeoffs": "benchmarks.failures.tradeoffs",
    "real_f2": "benchmarks.failures.real.f2",
    "real_f5": "benchmarks.failures.real.f5",
}


def present(part: str) -> bool:
    """Whether the part's module is there; those of the future are listed already."""
    module = PARTS[part]
    return find_spec(module.rpartition(".")[0]) is not None and find_spec(module) is not None


def run(part: str, settings: Settings) -> Findings:
    """Run one part."""
    return import_module(PARTS[part]).run(settings)
