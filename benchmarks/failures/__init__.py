"""The five failures: what overload, contention, storms, silence and chance do to each arm, in virtual and in real time.

    python -m benchmarks.failures [part ...] [--seeds N] [--quick]

Each part measures some scenarios on one rig and leaves `out/failures/parts/<part>.json`; whatever parts are there are
merged into `out/failures/report.json` and `report.html`. `docs/guides/failures.md` says how to read the picture.
"""
