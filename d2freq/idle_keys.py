"""Keys of a config that another trainer than d2freq's overlooks, told where a model is built.

The model and what it is made of read their keys in any pipeline. Optimizer, augmentations, hooks
and evaluation are the trainer's: Detectron2's own takes SGD whatever D2FREQ.OPTIMIZER says.
"""

import contextlib
import contextvars
import logging
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from d2freq.config import own_nodes, shared_nodes
from d2freq.modeling.roi_heads.config import unread
from d2freq.utils.own_keys import PREFIX

__all__ = ["idle_keys", "keys_are_read", "tell_idle_keys"]

logger = logging.getLogger(__name__)

TORCHVISION = re.compile(r"(resnet|resnext|wide_resnet|mobilenet)\w*-[0-9a-f]{8}\.pth")

_read = contextvars.ContextVar("d2freq_keys_are_read", default=False)
_told: set[str] = set()


@contextlib.contextmanager
def keys_are_read() -> Iterator[None]:
    """Nothing is told within: for a trainer that reads every key, as d2freq's own does."""
    token = _read.set(True)
    try:
        yield
    finally:
        _read.reset(token)


def tell_idle_keys(cfg: Any) -> None:
    """Warn of :func:`idle_keys` in one line, once for the same, outside of d2freq's trainer."""
    if _read.get() or not isinstance(cfg, Mapping) or "D2FREQ" not in cfg:
        return
    idle = ", ".join(idle_keys(cfg))
    if idle and idle not in _told:
        _told.add(idle)
        logger.warning(
            "set, but read by d2freq's trainer and commands alone: %s. Another trainer has to call "
            "what docs/guest.md names for each, or they do nothing",
            idle,
        )


def idle_keys(cfg: Any) -> list[str]:
    """Keys that are set otherwise than by default, and that only d2freq's trainer reads.

    Args:
        cfg: a CfgNode that d2freq's keys were added to.

    Returns:
        "KEY value" each, as "D2FREQ.OPTIMIZER 'adamw'".

    Examples:
        >>> import d2freq
        >>> from d2freq.idle_keys import idle_keys
        >>> from detectron2.config import get_cfg
        >>> cfg = get_cfg()
        >>> d2freq.add_d2freq_config(cfg)
        >>> cfg.D2FREQ.OPTIMIZER, cfg.TEST.TINY.PROTOCOL = "adamw", "visdrone"
        >>> idle_keys(cfg)
        ["D2FREQ.OPTIMIZER 'adamw'", "TEST.TINY.PROTOCOL 'visdrone'"]
    """
    found = []
    for name, keys in {**own_nodes(), **shared_nodes()}.items():
        if not name.startswith("MODEL."):
            found += _set_keys(_node(cfg, name), keys, name)
    for name in unread(cfg.MODEL.ROI_HEADS.NAME):
        found += _set_keys(_node(cfg, name), shared_nodes()[name], name)
    if TORCHVISION.search(os.path.basename(cfg.MODEL.WEIGHTS or "")):  # None is no weights, too
        found.append(f"MODEL.WEIGHTS {cfg.MODEL.WEIGHTS!r} (torchvision's names)")
    return found


def _node(cfg: Any, name: str) -> Mapping:
    *path, last = name.split(".")
    for part in path:
        cfg = cfg[part]
    return cfg.get(PREFIX + last, cfg.get(last, {}))


def _set_keys(node: Any, keys: Mapping, prefix: str) -> list[str]:
    if not isinstance(node, Mapping):  # put there by hand: the model is built all the same
        return [] if node is None else [f"{prefix} {node!r}"]
    found = []
    for key, usual in keys.items():
        value = node.get(key, usual)
        if isinstance(usual, Mapping):
            found += _set_keys(value, usual, f"{prefix}.{key}")
        elif _as_list(value) != _as_list(usual):
            found.append(f"{prefix}.{key} {value!r}")
    return found


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
