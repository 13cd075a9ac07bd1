"""What benchmarks share: medians of alternating runs, peak memory, and where it was measured."""

import datetime
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]


def alternate(sides: dict[str, Callable[[], object]], *, repeats: int, warmup: int = 2) -> dict:
    """Median seconds of each side; the sides take turns, so that noise falls on both alike."""
    for _ in range(warmup):
        for run in sides.values():
            run()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            _synchronize()
            start = time.perf_counter()
            run()
            _synchronize()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak_rss_mb() -> float:
    """Peak resident memory of this process in MB (2**20 bytes).

    Linux has it in /proc: there, ru_maxrss of a process starts from the size of its parent.
    """
    import resource

    return _status_mb("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def peak_mb(device: str, *, reset: bool = False) -> float:
    """Peak memory in MB: of this process on "cpu", of torch's allocator on a GPU.

    Args:
        reset: start anew and return what is allocated now (the peak so far on a CPU without /proc).
    """
    if device == "cpu":
        if reset and _status_mb("VmRSS"):
            Path("/proc/self/clear_refs").write_text("5")  # the peak becomes the size of now
            return _status_mb("VmRSS")
        return peak_rss_mb()
    if reset:
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 2**20
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() / 2**20


def _status_mb(key: str) -> float:
    """A size that Linux knows of this process, in MB; 0 elsewhere."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    found = re.search(rf"{key}:\s*(\d+)", status)
    return int(found.group(1)) / 1024 if found else 0.0


def in_new_process(script: str, *arguments: str, **environment: str) -> str:
    """The last line that ``script`` prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, script, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{script} failed:\n{done.stderr[-3000:]}")
    return done.stdout.strip().splitlines()[-1]


def where() -> str:
    """Machine, versions, commit and date in one line."""
    if torch.cuda.is_available():
        machine = torch.cuda.get_device_name()
    else:
        machine = f"{_cpu_name()}, {os.cpu_count()} cores"
    return (
        f"{machine}; torch {torch.__version__}, Python {platform.python_version()}; "
        f"commit {commit()}; {datetime.date.today()}"
    )


def commit() -> str:
    """The commit that runs, with "-dirty" where files were changed since."""
    found = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True
    )
    return found.stdout.strip() or "unknown"


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.machine()


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
