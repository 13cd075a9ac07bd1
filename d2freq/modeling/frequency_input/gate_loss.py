"""Detectors whose losses include those of the gates in their backbone.

A backbone returns features alone, so the gate keeps its penalty until the detector asks for it,
at the end of the same forward pass.
"""

from typing import Any

from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.modeling.meta_arch import GeneralizedRCNN, RetinaNet
from detectron2.utils.events import get_event_storage
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.fcos import FCOS
from d2freq.modeling.frequency_input.gate import ChannelGate

__all__ = ["GateLoss", "GatedFCOS", "GatedGeneralizedRCNN", "GatedRetinaNet", "gate_losses"]


def gate_losses(model: nn.Module) -> dict[str, Tensor]:
    """``loss_gate``, the penalties of all gates that have run since they were last asked.

    Stores the number of channels that were on as "gate/channels_on".

    Returns:
        {} where none has, as in a second pass of SET, which replays the features.

    Raises:
        UserError: the model has no gate.
    """
    gates = [module for module in model.modules() if isinstance(module, ChannelGate)]
    if not gates:
        raise UserError(
            f"{type(model).__name__} has no gate in its backbone; switch MODEL.FREQ_INPUT.GATE."
            "ENABLED on, or take the plain detector"
        )
    penalties = [found for found in (gate.take_penalty() for gate in gates) if found is not None]
    if not penalties:
        return {}
    storage = get_event_storage()
    storage.put_scalar("gate/channels_on", sum(float(found.channels_on) for found in penalties))
    return {"loss_gate": sum((found.loss for found in penalties[1:]), penalties[0].loss)}


class GateLoss(nn.Module):
    """Adds ``loss_gate`` to the losses of the detector class behind it among the parents."""

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """The detector's detections, or in training its losses and that of the gate."""
        result = super().forward(batched_inputs)
        return {**result, **gate_losses(self)} if self.training else result


@META_ARCH_REGISTRY.register()
class GatedGeneralizedRCNN(GateLoss, GeneralizedRCNN):
    """GeneralizedRCNN with a gate in its backbone; weights keep their names."""


@META_ARCH_REGISTRY.register()
class GatedRetinaNet(GateLoss, RetinaNet):
    """RetinaNet with a gate in its backbone; weights keep their names."""


@META_ARCH_REGISTRY.register()
class GatedFCOS(GateLoss, FCOS):
    """d2freq's FCOS with a gate in its backbone; weights keep their names."""
