"""The machine under the measurements: what its disk costs, whether it is a disk, and what else is running.

Reads `/proc` where there is one; elsewhere nothing is known of other processes, and the figures say so by being absent.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.speed.run import percentile

_MEMORY_FILE_SYSTEMS = {"tmpfs", "ramfs", "hugetlbfs"}
_MOUNTS, _STAT = Path("/proc/mounts"), Path("/proc/stat")

#: Cores that others may use before a run waits for them.
QUIET_CORES = 0.2
_LOOK_S = 0.3


def refuse_memory(directory: Path) -> None:
    """Raise when a directory is on a file system whose syncs cost nothing."""
    best = ("", "")
    for line in _MOUNTS.read_text(encoding="utf-8").splitlines() if _MOUNTS.exists() else ():
        _, mount, kind, *_ = line.split()
        if directory.resolve().is_relative_to(mount) and len(mount) >= len(best[0]):
            best = (mount, kind)
    if best[1] in _MEMORY_FILE_SYSTEMS:
        raise RuntimeError(f"{directory} is on {best[1]}: its syncs cost nothing; choose a real disk with --out")


def fsync_us(directory: Path, pause_s: float = 0.0) -> float:
    """What overwriting 4 KiB and its sync cost on this disk right now, in microseconds: the median of 25.

    After a pause it is several times as much on some disks, which bounds any idle latency from below.
    """
    took_s: list[float] = []
    descriptor = os.open(directory / "fsync.probe", os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, bytes(26 * 4096))
    os.fsync(descriptor)
    for block in range(25):
        time.sleep(pause_s)
        began_s = time.perf_counter()
        os.pwrite(descriptor, b"x" * 4096, block * 4096)
        os.fdatasync(descriptor)
        took_s.append(time.perf_counter() - began_s)
    os.close(descriptor)
    return 1e6 * percentile(took_s, 0.5)


def busy_cpu_s() -> float | None:
    """Processor seconds that all processes and the kernel have used since the machine started."""
    if not _STAT.exists():
        return None
    user, nice, system, _idle, _wait, irq, softirq, *_ = map(
        int, _STAT.read_text(encoding="utf-8").partition("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def wait_until_quiet(limit_s: float) -> float:
    """Wait until others use next to no processor time, at most this long; returns the seconds waited."""
    began_s = time.perf_counter()
    while (waited_s := time.perf_counter() - began_s) < limit_s:
        before_s = busy_cpu_s()
        time.sleep(_LOOK_S)
        after_s = busy_cpu_s()
        if before_s is None or after_s is None or (after_s - before_s) / _LOOK_S <= QUIET_CORES:
            break
    return waited_s
