"""What the engine does when it grows: journals of millions, decisions of ten thousand actions, thousands of tenants.

    python -m benchmarks.scale                     everything, an hour and more; writes out/scale/report.json
    python -m benchmarks.scale --quick             the same shape in a minute; not for quoting
    python -m benchmarks.scale.fill PATH           a journal of any size, for whoever measures on one

Every measure is a process of its own with its data on real disk (`child.py`).
"""
