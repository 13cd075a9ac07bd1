"""The model of a config, YAML or lazy, for commands that look at it instead of training it."""

import copy
import os
from collections.abc import Sequence

from detectron2.config import CfgNode, instantiate
from detectron2.modeling import build_model
from omegaconf import DictConfig, OmegaConf
from torch import nn

from d2freq.engine.config.lazy_config import load_lazy
from d2freq.engine.config.yaml_config import is_lazy, load_yaml
from d2freq.engine.weights.strict import load_weights
from d2freq.errors import UserError
from d2freq.modeling.classification import ImageClassifier

__all__ = ["build", "config_model", "read_config", "square_of"]


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
        UserError: the config is faulty, or the weights are missing or do not fit.
    """
    return build(read_config(config_file, overrides), weights=weights, device=device)


def read_config(config_file: str, overrides: Sequence[str] = ()) -> CfgNode | DictConfig:
    """A YAML config as CfgNode, a lazy one as DictConfig.

    Raises:
        UserError: the config or an override is faulty.
    """
    read = load_lazy if is_lazy(config_file) else load_yaml
    return read(config_file, list(overrides))


def build(
    config: CfgNode | DictConfig, *, weights: str | None = None, device: str = "cpu"
) -> nn.Module:
    """The model of a config that is read already; see config_model."""
    if weights and "://" not in weights and not os.path.isfile(weights):
        raise UserError(f"--weights {weights}: no such file")
    if isinstance(config, DictConfig):
        model = instantiate(copy.deepcopy(config.model)).to(device)
    else:
        config.MODEL.DEVICE = device
        model = build_model(config)
    if weights:
        load_weights(model, weights, output_dir="", resume=False, strict=True)
    return model.eval()


def square_of(config: CfgNode | DictConfig, model: nn.Module) -> int | None:
    """Pixels a side of the images that a classifier's config evaluates; None of a detector's."""
    if not isinstance(model, ImageClassifier):
        return None
    if isinstance(config, DictConfig):
        return OmegaConf.select(config, "dataloader.test.mapper.crop")
    return config.INPUT.CLASSIFICATION.CROP
