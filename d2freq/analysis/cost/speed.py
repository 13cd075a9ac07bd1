"""How long a model takes for an input, and how much memory: measured, where MACs are counted."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from d2freq.analysis.cost.unmixing import UnmixingRun
from d2freq.modeling.unmixing import UnmixingModel

__all__ = ["Speed", "measure_speed"]

MIB = 2**20


@dataclass(frozen=True)
class Speed:
    """Of one input at a time.

    Attributes:
        seconds: of each run, after one that does not count.
        peak: bytes: on a GPU of the tensors at once, on a CPU of the whole process, its libraries
            included; None where the system does not tell.
        device: where it ran.
    """

    seconds: tuple[float, ...]
    peak: int | None
    device: str

    def text(self) -> str:
        """A line: the median with the range, the memory, and on what."""
        middle, times = statistics.median(self.seconds), [1000 * s for s in self.seconds]
        said = f"latency {1000 * middle:.1f} ms (median of {len(times)}, "
        said += f"{min(times):.1f} to {max(times):.1f}), {1 / middle:.2f} a second"
        if self.peak is not None:
            whose = "" if self.device.startswith("cuda") else " of the process"
            said += f"; peak memory{whose} {self.peak / MIB:,.0f} MiB"
        threads = "" if self.device.startswith("cuda") else f", {torch.get_num_threads()} threads"
        return f"{said}; on {self.device}{threads}"


def measure_speed(
    model: nn.Module, *, size: tuple[int, int], frames: int = 20, repeats: int = 5
) -> Speed:
    """Run a model from the picture to the detections, and take time and memory.

    Args:
        model: on the device to measure; a detector, a classifier or an unmixing model.
        size: height and width of a picture of noise; an unmixing model has a size of its own.
        frames: that an unmixing model is given.
        repeats: runs that count.
    """
    device = next(model.parameters()).device
    model.eval()
    run: Callable[[], object]
    if isinstance(model, UnmixingModel):
        run = UnmixingRun(model, frames)
    else:
        noise = torch.Generator().manual_seed(0)
        pixels = torch.randint(0, 256, (3, *size), generator=noise, dtype=torch.uint8)
        picture = {"image": pixels, "height": size[0], "width": size[1]}
        run = lambda: model([picture])  # noqa: E731
    seconds = []
    with torch.no_grad():
        run()  # memory is taken, and kernels are chosen
        _forget_peak(device)
        for _ in range(repeats):
            began = time.perf_counter()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - began)
    return Speed(tuple(seconds), _peak(device), str(device))


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:  # Linux: what counts begins now
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass  # then it is the most since the process began, which --help says


def _peak(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.is_file() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
