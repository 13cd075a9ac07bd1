"""A tap on a detector's backbone: it shows what flows to the heads, or replaces it.

For the length of a ``with`` another module stands where ``detector.backbone`` did, which is
sturdier than a hook or a replaced ``forward``: the backbone may be compiled, a hook cannot keep it
from running, and torch.compile sees the change. It is put back whatever happens.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from d2freq.errors import UserError

__all__ = ["Recorder", "recorded", "replayed"]


class _Tap(nn.Module):
    """Has the attributes of the backbone that it stands for, such as its size divisibility."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.training = backbone.training  # not train(), which reaches the layers of the backbone

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "backbone":
                raise
            return getattr(self.backbone, name)


class Recorder(_Tap):
    """Runs the backbone and keeps what it gave.

    Attributes:
        features: level -> (B, C, H, W), the tensors that the heads got.
        padded: (height, width) of the batch that the backbone got.
    """

    def __init__(self, backbone: nn.Module, levels: Sequence[str]) -> None:
        super().__init__(backbone)
        self.levels = levels
        self.features: dict[str, Tensor] = {}
        self.padded = (0, 0)

    # A compiled detector is cut in two here: within one compiled graph features and losses are
    # outputs alike, and autograd knows no gradient between them.
    @torch.compiler.disable(recursive=False)
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        if self.features:
            raise UserError(
                "SET: the detector runs its backbone twice a forward pass; it has to be once, as "
                "the second pass gives one set of features to the heads"
            )
        features = dict(self.backbone(images))
        for level in self.levels:
            if not features[level].requires_grad:  # a frozen backbone: gradients begin here
                features[level] = features[level].detach().requires_grad_()
        self.features, self.padded = features, (images.shape[-2], images.shape[-1])
        return dict(features)


class _Player(_Tap):
    def __init__(self, backbone: nn.Module, features: Mapping[str, Tensor]) -> None:
        super().__init__(backbone)
        self.features = features

    @torch.compiler.disable
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return dict(self.features)


@contextmanager
def recorded(detector: nn.Module, levels: Sequence[str]) -> Iterator[Recorder]:
    """Within it the detector runs as ever, once, and the recorder keeps the features.

    Args:
        detector: has a module ``backbone``, from images to a dict of features.
        levels: names of the features that have to require a gradient.

    Raises:
        UserError: at the end, the detector did not use its backbone; or it did so twice.
    """
    with _in_place_of_backbone(detector, lambda backbone: Recorder(backbone, levels)) as tap:
        yield tap
    if not tap.features:
        raise UserError(
            f"SET: {type(detector).__name__} did not call its backbone as self.backbone(images), "
            "so there are no features to enhance"
        )


@contextmanager
def replayed(detector: nn.Module, features: Mapping[str, Tensor]) -> Iterator[None]:
    """Within it the heads get ``features``, level -> (B, C, H, W), and the backbone rests."""
    with _in_place_of_backbone(detector, lambda backbone: _Player(backbone, features)):
        yield


@contextmanager
def _in_place_of_backbone(detector: nn.Module, make: Any) -> Iterator[Any]:
    owner: Any = getattr(detector, "_orig_mod", detector)  # what torch.compile(detector) wraps
    backbone = owner.backbone
    owner.backbone = tap = make(backbone)
    try:
        yield tap
    finally:
        owner.backbone = backbone
