"""Configs by name: d2freq's, and those of other folders.

``MINID2_CONFIGS`` names further folders, ``configs`` of Detectron2's source tree for example.
Published weights are Detectron2's; ``d2freq.model_zoo.get_checkpoint_url`` knows their addresses.
"""

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .config import LazyConfig, get_cfg, instantiate

_HOME = Path(__file__).resolve().parents[1]


def get_config_file(config_path: str) -> str:
    """The path of a config, "_base_/faster_rcnn_R50_FPN.yaml"; RuntimeError without one."""
    more = [Path(name) for name in os.environ.get("MINID2_CONFIGS", "").split(os.pathsep) if name]
    # beside the package: configs of a source tree, or those within an installed d2freq
    for folder in (*more, _HOME / "configs", _HOME / "d2freq" / "configs"):
        if (folder / config_path).is_file():
            return str(folder / config_path)
    raise RuntimeError(
        f"{config_path} is not available: minid2 has d2freq's configs; for those of Detectron2 set "
        "MINID2_CONFIGS to the folder 'configs' of its source tree"
    )


def get_config(config_path: str, trained: bool = False) -> Any:
    """A config by name: a CfgNode of YAML, a DictConfig of a lazy one.

    RuntimeError: there is none, or published weights are asked for (``trained``).
    """
    path = get_config_file(config_path)
    if trained:
        get_checkpoint_url(config_path)
    if path.endswith(".py"):
        return LazyConfig.load(path)
    cfg = get_cfg()
    cfg.merge_from_file(path)
    return cfg


def get_checkpoint_url(config_path: str) -> str:
    """Not here: RuntimeError says where."""
    raise RuntimeError(
        f"weights of {config_path}: minid2 has no list of them; see "
        "d2freq.model_zoo.get_checkpoint_url, or install the real Detectron2"
    )


def get(config_path: str, trained: bool = False, device: str | None = None) -> nn.Module:
    """The model of a config with its initial weights, on ``device``; see :func:`get_config`."""
    from .modeling import build_model

    cfg = get_config(config_path, trained)
    if not hasattr(cfg, "MODEL"):
        return instantiate(cfg.model).to(device or "cpu")
    if device is not None or not torch.cuda.is_available():
        cfg.MODEL.DEVICE = device or "cpu"
    return build_model(cfg)
