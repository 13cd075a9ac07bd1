"""What happens around the iterations of a training, each as a hook."""

from .callback import CallbackHook
from .checkpoints import BestCheckpointer, PeriodicCheckpointer
from .evaluation import EvalHook
from .lr_scheduler import LRScheduler
from .precise_bn import PreciseBN
from .profiling import AutogradProfiler, TorchProfiler
from .timer import IterationTimer
from .writer import PeriodicWriter

__all__ = [
    "AutogradProfiler",
    "BestCheckpointer",
    "CallbackHook",
    "EvalHook",
    "IterationTimer",
    "LRScheduler",
    "PeriodicCheckpointer",
    "PeriodicWriter",
    "PreciseBN",
    "TorchProfiler",
]
