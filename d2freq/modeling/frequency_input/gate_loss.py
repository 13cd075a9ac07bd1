"""Any detector with the loss of the gate in its backbone among its losses.

A backbone returns features alone, so a gate keeps its penalty until the detector's forward pass
ends. There a hook of the detector asks for it: the detector keeps its class and the names of its
weights.
"""

from typing import Any

from detectron2.config import CfgNode
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.utils.events import get_event_storage
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.frequency_input.config import freq_input_keys
from d2freq.modeling.frequency_input.gate import ChannelGate
from d2freq.modeling.registration import register, short_name
from d2freq.utils.own_keys import own_keys

__all__ = ["Gated", "add_gate_loss"]


@register(META_ARCH_REGISTRY)
def Gated(cfg: CfgNode) -> nn.Module:  # named as the meta-architectures are
    """The meta-architecture MODEL.FREQ_INPUT.GATE.DETECTOR, with the gate's loss among its own.

    That may be SET. A lazy config calls :func:`add_gate_loss` on its detector instead.

    Raises:
        UserError: Gated within Gated, or no gate in the backbone.
    """
    name = own_keys(cfg, "MODEL.FREQ_INPUT", freq_input_keys()).GATE.DETECTOR
    if short_name(META_ARCH_REGISTRY, name) == "Gated":
        raise UserError("MODEL.FREQ_INPUT.GATE.DETECTOR: Gated inside Gated; name the detector")
    return add_gate_loss(META_ARCH_REGISTRY.get(name)(cfg))


def add_gate_loss(detector: nn.Module) -> nn.Module:
    """Make a detector return ``loss_gate`` in training, beside its own losses.

    Args:
        detector: returns a dict of losses in training, and has a :class:`ChannelGate` somewhere.

    Returns:
        The same detector. In training it also stores "gate/channels_on", the mean number of
        channels that were on.

    Raises:
        UserError: it has no gate.
    """
    if not _gates(detector):
        raise UserError(
            f"{type(detector).__name__} has no gate whose loss could be added; switch "
            "MODEL.FREQ_INPUT.GATE.ENABLED on, or take the detector without Gated"
        )
    detector.register_forward_hook(_with_gate_loss)
    return detector


def _with_gate_loss(detector: nn.Module, inputs: Any, result: Any) -> Any:
    """The detector's losses with ``loss_gate``; detections as they are.

    A gate that has not run adds nothing, as in the second pass of SET, which replays features.
    """
    if not detector.training:
        return result
    taken = [gate.take_penalty() for gate in _gates(detector)]
    penalties = [penalty for penalty in taken if penalty is not None]
    if not penalties:
        return result
    on = sum(float(penalty.channels_on) for penalty in penalties)
    get_event_storage().put_scalar("gate/channels_on", on)
    loss: Tensor = sum((penalty.loss for penalty in penalties[1:]), penalties[0].loss)
    return {**result, "loss_gate": loss}


def _gates(detector: nn.Module) -> list[ChannelGate]:
    return [module for module in detector.modules() if isinstance(module, ChannelGate)]
