"""The features of one image, and what a detector's heads make of others in their place.

Shape shorthand: C channels, H x W the padded image, h x w a level. Images go one by one: a batch
would pad them to each other's size, and the padding is part of a spectrum.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from d2freq.analysis.model_and_data import Image, Subject
from d2freq.errors import UserError
from d2freq.modeling.set.branches import branch_losses
from d2freq.modeling.set.masks import foreground_mask
from d2freq.modeling.set.second_pass import SecondPass
from d2freq.modeling.set.tap import replayed

__all__ = [
    "Pyramid",
    "branch_gradients",
    "detect",
    "pick_level",
    "pyramid",
    "seeded_losses",
    "smoothed",
    "stride_of",
]


@dataclass(frozen=True)
class Pyramid:
    """What the backbone makes of an image: level -> (1, C, h, w), and H, W."""

    features: dict[str, Tensor]
    padded: tuple[int, int]

    def foreground(self, feature: Tensor, image: Image, *, rule: str) -> Tensor:
        """M (1, 1, h, w) bool of the image's boxes, at the size of a level's feature."""
        size = feature.shape[-2], feature.shape[-1]
        return foreground_mask([image.boxes.to(feature.device)], self.padded, size, rule=rule)


def pyramid(detector: Any, image: Image) -> Pyramid:
    """Run the backbone as inference does, without a graph.

    Raises:
        UserError: the detector has no backbone of its own.
    """
    if not isinstance(getattr(detector, "backbone", None), nn.Module):
        raise UserError(f"{type(detector).__name__} has no module `backbone` to take features from")
    with torch.no_grad():
        batch = detector.preprocess_image([image.inputs])
        batch = getattr(batch, "tensor", batch)
        features = dict(detector.backbone(batch))
    return Pyramid(features, (batch.shape[-2], batch.shape[-1]))


def smoothed(subject: Subject, image: Image, seen: Pyramid) -> dict[str, Tensor]:
    """P^E of every level of a model with HBS, with the image's own ground truth."""
    smoothing: Any = subject.model.smoothing
    with torch.no_grad():
        return smoothing(seen.features, [image.boxes], seen.padded)


def pick_level(detector: Any, name: str | None) -> str:
    """The level of that name, or the one of the highest resolution.

    Raises:
        UserError: the backbone has no such level.
    """
    shapes = detector.backbone.output_shape()
    if name is None:
        return min(shapes, key=lambda level: shapes[level].stride)
    if name not in shapes:
        raise UserError(f"--level {name}: the backbone has the levels {', '.join(shapes)}")
    return name


def stride_of(detector: Any, level: str) -> int:
    """Pixels of the network's input a cell."""
    return detector.backbone.output_shape()[level].stride


def detect(detector: Any, image: Image, features: Mapping[str, Tensor]) -> dict[str, Any]:
    """The detections that the heads find on these features instead of the image's own."""
    with torch.no_grad(), replayed(detector, features):
        return detector([image.inputs])[0]


@contextmanager
def seeded_losses(detector: Any, seed: int) -> Iterator[None]:
    """Within it the detector gives losses, of the features as inference has them.

    Batch norms and dropout stay as in evaluation. What is drawn, such as the anchors and proposals
    that count, follows ``seed``; running means by which losses are divided stand as after loading.
    Afterwards everything is as before.
    """
    modes = [(module, module.training) for module in detector.modules()]
    detector.train()
    for module in detector.modules():
        if isinstance(module, (_NormBase, nn.modules.dropout._DropoutNd)):
            module.eval()
    device = next(detector.parameters()).device
    try:
        with (
            torch.random.fork_rng([device] if device.type == "cuda" else []),
            SecondPass(detector).apart(),
        ):
            torch.manual_seed(seed)
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def branch_gradients(
    detector: Any,
    image: Image,
    features: Mapping[str, Tensor],
    level: str,
    *,
    branches: Mapping[str, str] | None = None,
    seed: int = 0,
) -> dict[str, Tensor]:
    """dL_m / dP of each branch m at one level: branch -> (C, h, w) float32.

    Args:
        features: level -> (1, C, h, w), what the heads get.
        branches: loss name -> branch, see branch_losses.
        seed: of the samples that the losses are taken of.

    Raises:
        UserError: a loss of no known branch.
    """
    leaves = {name: x.detach().clone().requires_grad_() for name, x in features.items()}
    with torch.enable_grad(), seeded_losses(detector, seed), replayed(detector, leaves):
        losses = branch_losses(detector([image.inputs]), branches)
    return {
        branch: _gradient(loss, leaves[level], last=number == len(losses))
        for number, (branch, loss) in enumerate(losses.items(), start=1)
    }


def _gradient(loss: Tensor, leaf: Tensor, *, last: bool) -> Tensor:
    """(C, h, w); zeros where the loss does not depend on the level."""
    found = None
    if loss.requires_grad:
        (found,) = torch.autograd.grad(loss, leaf, retain_graph=not last, allow_unused=True)
    return (torch.zeros_like(leaf) if found is None else found)[0].detach().float()
