"""A second and a third try for functions that run out of GPU memory."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

from ..host import logger_of


def retry_if_cuda_oom(func: Callable) -> Callable:
    """Let ``func`` retry with an emptied cache, then with its arguments on the CPU.

    Args:
        func: takes tensors (or objects with ``device`` and ``to``) as arguments and keeps no
            state, since it may run three times. After the last try its results are on the CPU.
    """

    def on_cpu(value: Any) -> Any:
        on_gpu = getattr(getattr(value, "device", None), "type", None) == "cuda"
        return value.to(device="cpu") if on_gpu else value

    @wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        for _ in range(2):
            try:
                return func(*args, **kwargs)
            except torch.cuda.OutOfMemoryError:
                torch.cuda.empty_cache()
        logger_of(__name__).info("out of GPU memory; %s goes to the CPU", func)
        moved = {name: on_cpu(value) for name, value in kwargs.items()}
        return func(*(on_cpu(value) for value in args), **moved)

    return wrapped
