"""The real-time rig: arms under an open loop on this machine's clock, with the peers that people run today.

    python -m benchmarks.failures real_f2 real_f5      part of `make bench-failures`

A *cell* (`cell.py`) is one arm under one workload and one seed, in a process of its own on core 0 (`host.py`). Its
decisions come from a generator process on core 1 (`generator.py`), by a schedule drawn before the clock starts; each
latency counts from the intended arrival. What is acted on is a downstream of `c` servers simulated by exact timers
(`downstream.py`): it is bound by I/O, so that the arm has core 0 for itself. Its capacity is measured by a closed loop
at the start of each cell, with the deadline in force, so that calls which no arm could end in time count for none.
`tally.py` turns what the downstream and the clients saw into one `Sample` for each load; `runner.py` interleaves cells
in random order and repeats those whose generator lagged; `figures.py` makes figures and curves of them.
"""
