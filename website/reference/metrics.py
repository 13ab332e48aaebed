"""Metrics of a node, read from where they are made."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

from lictor.monitoring import metrics
from website.reference.tables import table

TYPES = {
    "counter": "counter",
    "CounterMetricFamily": "counter",
    "gauge": "gauge",
    "gauges": "gauge",
    "GaugeMetricFamily": "gauge",
    "histogram": "histogram",
    "HistogramMetricFamily": "histogram",
}


def found() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Name, type, labels and help of each family."""
    tree = ast.parse(inspect.getsource(metrics))
    names = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(tree):
        kind = TYPES.get(call.func.id) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else None
        if kind and isinstance(call, ast.Call) and isinstance(call.args[0], ast.Constant):
            name, help_ = call.args[0].value, ast.literal_eval(call.args[1])
            labels = next((word.value for word in call.keywords if word.arg == "labels"), None)
            labels = labels or (call.args[2] if len(call.args) > 3 else None)
            labels = names.get(labels.id) if isinstance(labels, ast.Name) else labels
            literal = isinstance(labels, ast.Tuple | ast.List)
            yield name, kind, tuple(ast.literal_eval(labels)) if literal else (), help_


def page() -> str:
    """Every metric."""
    rows = [
        (f"`{name}{'_total' if kind == 'counter' else ''}`", kind, ", ".join(f"`{one}`" for one in labels), help_)
        for name, kind, labels, help_ in sorted(found())
    ]
    return f"""# Metrics

In the text format of Prometheus: `lictor metrics`, `node.metrics()`, or `GET /metrics`. They cost nothing until they
are asked for. Those of quality are there once the capacity is known, which takes ten seconds of work.

{table(("metric", "type", "labels", "what it counts"), rows)}"""
