"""What an unmixing model does when its cost is counted: it unmixes one trajectory.

The rule of DeRefNet's Table 7: 20 frames, without what only the losses need. A model that looks at
several frames gets a trajectory of 20 and unmixes those in its middle (16 with windows of 5). A
single frame costs the same wherever it stands, so such a model unmixes all 20. The table leaves
the kernels of deformable convolutions out, and counts Phi^T Phi (0.14 G), which models here keep.

Every frame shows one target, in its middle: ISTA and FISTA stop by themselves, and so they do what
they do for a frame like that.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from d2freq.errors import UserError
from d2freq.modeling.unmixing import UnmixingModel
from d2freq.modeling.unmixing.single_frame import SingleFrameModel
from d2freq.modeling.unmixing.units import INTENSITY
from d2freq.ops.psf import render

__all__ = ["EXTRA_COUNTS", "UnmixingRun"]


def _deformable(x: Any, weight: tuple, *rest: Any, out_shape: tuple, **more: Any) -> int:
    """Operations of the kernel's products: two for each weight at each place of the output."""
    places = out_shape[0] * out_shape[2] * out_shape[3]
    return 2 * places * weight[0] * weight[1] * weight[2] * weight[3]


EXTRA_COUNTS: dict[Any, Callable[..., int]] = {
    torch.ops.torchvision.deform_conv2d: _deformable,
}


class UnmixingRun(nn.Module):
    """Calls an unmixing model on a trajectory of ``frames`` frames."""

    def __init__(self, model: UnmixingModel, frames: int) -> None:
        super().__init__()
        if frames < model.window:
            raise UserError(
                f"--frames {frames}: the model's windows have {model.window}; give more frames"
            )
        self.model = model
        self.subject = f"{frames} frames of {model.size} x {model.size} pixels"
        alone = isinstance(model, SingleFrameModel)
        self.length = frames + 2 * model.neighbours if alone else frames

    def forward(self) -> None:
        model = self.model
        middle = torch.tensor([[(model.size - 1) / 2] * 2], device=model.device)
        intensity = torch.full((1,), INTENSITY, device=model.device)
        frame = render(middle, intensity, size=model.size, sigma=model.sigma)
        model([{"frames": frame.repeat(self.length, 1, 1, 1)}])
