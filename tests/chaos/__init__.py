"""Real processes, really killed. `python -m tests.chaos` is the long campaign, `test_kill.py` its smoke run."""
