"""A model in the log, and in a line on the terminal."""

import logging

from torch import nn

from d2freq.utils.notices import BRIEF

__all__ = ["log_model"]

logger = logging.getLogger(__name__)


def log_model(model: nn.Module) -> None:
    """Log all modules of a model; the terminal shows what it is, and how large."""
    kinds = [type(model).__name__]
    backbone = getattr(model, "backbone", None)
    if isinstance(backbone, nn.Module):
        kinds.append(type(backbone).__name__)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    said = f"Model: {' on '.join(kinds)}, {parameters / 1e6:.2f} million parameters"
    logger.info("Model:\n%s", model, extra={BRIEF: said})
