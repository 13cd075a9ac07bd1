"""The model of a config for commands that look at it instead of training it."""

from collections.abc import Sequence

from torch import nn

from d2freq.engine.config import Config, load_config
from d2freq.engine.weights.addresses import find_weights
from d2freq.engine.weights.strict import load_weights, unreadable
from d2freq.errors import UserError

__all__ = ["build", "config_model"]


def config_model(
    config_file: str,
    overrides: Sequence[str] = (),
    *,
    weights: str | None = None,
    device: str = "cpu",
) -> nn.Module:
    """The model that a config describes, in evaluation mode.

    Args:
        config_file: .yaml or lazy .py.
        overrides: KEY VALUE words for YAML, key=value words for a lazy config.
        weights: a checkpoint; None leaves the initial weights, those that the config names too.
        device: where the model stands.

    Raises:
        UserError: the config is faulty, or the weights are missing, unreadable or do not fit.
    """
    return build(load_config(config_file, overrides), weights=weights, device=device)


def build(config: Config, *, weights: str | None = None, device: str = "cpu") -> nn.Module:
    """The model of a config that is read already; see config_model."""
    find_weights(weights or "", "--weights")
    model = config.model(device)
    if weights:
        try:
            load_weights(model, weights, output_dir="", resume=False, strict=True)
        except UserError:
            raise
        except Exception as error:  # a damaged file fails in as many ways as there are formats
            raise unreadable(weights, error) from error
    return model.eval()
