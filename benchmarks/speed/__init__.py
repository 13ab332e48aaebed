"""How fast a governed, durable decision is, beside bare SQLite, a bare pipeline, Huey and DBOS in the same run.

    python -m benchmarks.speed                     everything, medians of three interleaved repeats, out/speed/
    python -m benchmarks.speed --quick             the same shape in a minute; not for quoting
    python -m benchmarks.speed.commit_placement    how commits should run: inline, thread or process

An *arm* is one system (`arm.py`), a *measure* is one way to load it (`measures.py`, `open_loop.py`), a *run* is an arm
under a measure with its settings (`run.py`). Each run is a process of its own (`child.py`) with its data on real disk;
`plan.py` says which runs there are, `runner.py` interleaves them, `figures.py` turns them into `shows`.
"""
