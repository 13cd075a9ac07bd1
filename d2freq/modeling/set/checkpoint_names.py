"""Under which names SET saves its tensors: the detector's own for the detector's.

Within SET the detector's tensors are ``detector.backbone...``. A checkpoint has them as the plain
detector does, ``backbone...``, and SET's own beside them, ``set.smoothing...``; so either model
reads the other's checkpoint by torch's ``load_state_dict`` and by any checkpointer on top of it.
Checkpoints from before, which hold ``detector.backbone...`` and ``smoothing...``, load as ever.
"""

import logging
from collections.abc import Collection, MutableMapping
from typing import Any

from torch import nn

from d2freq.errors import UserError

__all__ = ["DETECTOR", "OWN", "keep_detector_names"]

logger = logging.getLogger(__name__)

DETECTOR = "detector."  # where SET has the detector
OWN = "set."  # what SET's own tensors begin with in a checkpoint
_WRAPPERS = ("module.", "_orig_mod.")


def keep_detector_names(model: nn.Module) -> None:
    """Give a SET model the hooks that rename its tensors when they are saved and loaded.

    Raises:
        UserError: the detector has parts of these names itself.
    """
    parts = dict(model.get_submodule(DETECTOR.rstrip(".")).named_children())
    taken = [name for name in (DETECTOR, OWN) if name.rstrip(".") in parts]
    if taken:
        raise UserError(
            f"SET: the detector has a part named {taken[0].rstrip('.')!r}, under which SET saves "
            "tensors of its own; rename that part"
        )
    model.register_state_dict_post_hook(_to_checkpoint)
    model.register_load_state_dict_pre_hook(_from_checkpoint)
    model.register_load_state_dict_post_hook(_report)


def _to_checkpoint(
    model: nn.Module, weights: MutableMapping[str, Any], prefix: str, metadata: dict
) -> None:
    for name in [name for name in weights if name.startswith(prefix)]:
        weights[prefix + _outside(name[len(prefix) :])] = weights.pop(name)
    # the versions of the modules, by which some read older checkpoints
    versions = getattr(weights, "_metadata", {})
    for name in [name for name in versions if name.startswith(prefix + DETECTOR)]:
        versions[prefix + name[len(prefix + DETECTOR) :]] = versions.pop(name)


def _from_checkpoint(
    model: nn.Module,
    weights: MutableMapping[str, Any],
    prefix: str,
    metadata: dict,
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    names = [name for name in weights if name.startswith(prefix)]
    if any(name.startswith(prefix + DETECTOR) for name in names):
        given: Collection[str] = names  # saved before SET kept the detector's names
    else:
        renamed = {name: prefix + _inside(name[len(prefix) :]) for name in names}
        given = renamed.values()
        for name, inside in renamed.items():
            weights[inside] = weights.pop(name)
        versions = getattr(weights, "_metadata", {})
        for name in [name for name in versions if name.startswith(prefix)]:
            versions.setdefault(prefix + DETECTOR + name[len(prefix) :], versions[name])
    own = {
        prefix + part + "." + name: value
        for part, module in model.named_children()
        if part + "." != DETECTOR
        for name, value in module.state_dict().items()
    }
    if own and names and own.keys().isdisjoint(given):
        logger.info("the checkpoint is a plain detector's: SET's own layers begin anew")
        weights.update(own)


def _report(model: nn.Module, incompatible: Any) -> None:
    """Missing and surplus tensors are named as a checkpoint has them."""
    parts = tuple(part + "." for part, _ in model.named_children())
    for keys in incompatible:
        for place, name in enumerate(keys):
            # under DistributedDataParallel and torch.compile a wrapper's name stands in front
            wrapper = next((w for w in _WRAPPERS if name.startswith(w)), "")
            if name[len(wrapper) :].startswith(parts):
                keys[place] = wrapper + _outside(name[len(wrapper) :])


def _outside(name: str) -> str:
    return name[len(DETECTOR) :] if name.startswith(DETECTOR) else OWN + name


def _inside(name: str) -> str:
    return name[len(OWN) :] if name.startswith(OWN) else DETECTOR + name
