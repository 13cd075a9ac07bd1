"""D2FREQ.FAST_CPU: layers with a faster backward pass while a model trains on a CPU."""

import logging

from detectron2.engine import HookBase
from torch import nn

from d2freq.modeling.fast_cpu import make_fast_on_cpu

__all__ = ["FastCPU"]

logger = logging.getLogger(__name__)


class FastCPU(HookBase):
    """Exchanges layers before the first iteration where the model stands on a CPU."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def before_train(self) -> None:
        """Exchange them, and say how many."""
        if next(self.model.parameters()).device.type == "cpu":
            count = make_fast_on_cpu(self.model)
            logger.info("D2FREQ.FAST_CPU: %d layers with a faster backward pass", count)
