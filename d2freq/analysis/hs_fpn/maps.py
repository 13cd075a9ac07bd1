"""What HS-FPN's modules do to the maps of one image, recorded while the backbone runs.

Shape shorthand: C channels, H x W a level's map without its padding, stage i the level of stride
2^i (2 is P2).
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.ops.dct import high_pass
from d2freq.utils.pixels import PixelReader, read_layout, refuse_deep
from d2freq.utils.pixels.preview import preview_reader
from d2freq.utils.pixels.reader import GREY

__all__ = ["Recording", "energy", "read_grey_levels", "read_image", "record", "responses"]

# C_i, after HFP, after SDP, P_i, and the weights u^CP, as modules of the neck
STEPS = {
    "lateral": "fpn_lateral{}",
    "hfp": "fpn_hfp{}",
    "sdp": "fpn_sdp{}",
    "output": "fpn_output{}",
}
WEIGHTS = "fpn_hfp{}.channel_path"


@dataclass(frozen=True)
class Recording:
    """What the neck made of one image.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        maps: stage -> step -> (C, H, W) float32.
        weights: stage -> u^CP (C,) in (0, 1), where there is a channel path (HS-FPN, Fig. 10).
    """

    image: np.ndarray
    maps: dict[int, dict[str, Tensor]]
    weights: dict[int, np.ndarray]

    def level(self, stage: int) -> dict[str, Tensor]:
        """The steps of one level.

        Raises:
            UserError: the neck has no such level.
        """
        if stage not in self.maps:
            known = ", ".join(f"{i}" for i in self.maps)
            raise UserError(f"--level {stage}: the neck has the levels {known}")
        return self.maps[stage]


def read_image(path: str | os.PathLike) -> np.ndarray:
    """(H, W, 3) uint8, RGB.

    Raises:
        UserError: the file is missing or no image.
    """
    from detectron2.data.detection_utils import read_image as read

    refuse_deep(path)
    try:
        return read(os.fspath(path), format="RGB")
    except (OSError, ValueError) as error:
        reason = "no such file" if not Path(path).is_file() else f"not an image ({error})"
        raise UserError(f"{path}: {reason}") from error


def read_grey_levels(path: str | os.PathLike) -> np.ndarray:
    """(H, W) float64, grey by ITU-R BT.601; of a deep picture from its least to its greatest value.

    Raises:
        UserError: the file is missing or no image.
    """
    if read_layout(path).plain:
        return read_image(path).astype(np.float64) @ np.array(GREY)
    shown = preview_reader(path)
    assert shown is not None  # as it is for every picture that is not plain
    whole = PixelReader("image", bands=shown.bands, percentiles=(0, 100)).read(path)
    weights = np.array(GREY) if whole.shape[2] == 3 else np.ones(1)
    return whole.astype(np.float64) @ weights


def record(model: Any, image: np.ndarray, channels: np.ndarray | None = None) -> Recording:
    """Run the backbone of a detector on an image of any size and keep what its neck makes.

    Args:
        model: a detector with FPN or HSFPN as ``backbone``.
        image: (H, W, 3) uint8, RGB; it is not resized.
        channels: (H, W, C) float32, what a reader of INPUT.PIXELS gives the model in its place.

    Raises:
        UserError: the backbone is no FPN.
    """
    backbone = model.backbone
    stages = [int(n[len("fpn_output") :]) for n, _ in backbone.named_children() if "_output" in n]
    if not stages or not hasattr(model, "preprocess_image"):
        raise UserError(f"{type(backbone).__name__} is no feature pyramid: use a config with one")
    # the detector's own preparation: its channel order, its normalisation, its padding
    pixels = image[:, :, ::-1] if getattr(model, "input_format", "RGB") == "BGR" else image
    pixels = pixels if channels is None else channels
    tensor = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    with torch.no_grad():
        batch = model.preprocess_image([{"image": tensor}])
        with _outputs(backbone) as outputs:
            backbone(batch.tensor)
    maps: dict[int, dict[str, Tensor]] = {}
    weights = {}
    for stage in sorted(stages):
        rows, columns = (-(-side // 2**stage) for side in image.shape[:2])
        found = {step: outputs.get(name.format(stage)) for step, name in STEPS.items()}
        maps[stage] = {
            step: value[0, :, :rows, :columns].float().cpu()
            for step, value in found.items()
            if value is not None
        }
        gate = outputs.get(WEIGHTS.format(stage))
        if gate is not None:
            weights[stage] = gate[0].flatten().float().cpu().numpy()
    return Recording(image, maps, weights)


@contextmanager
def _outputs(backbone: nn.Module) -> Iterator[dict[str, Tensor]]:
    """What each module of the neck returns while the context lasts, by its name."""
    names = {module: name for name, module in backbone.named_modules() if name.startswith("fpn_")}
    outputs: dict[str, Tensor] = {}

    def keep(module: nn.Module, _inputs: tuple, value: Tensor) -> None:
        outputs[names[module]] = value

    with ExitStack() as hooks:
        for module in names:
            hooks.callback(module.register_forward_hook(keep).remove)
        yield outputs


def energy(features: Tensor) -> np.ndarray:
    """Mean magnitude over the channels: (C, H, W) -> (H, W) float32."""
    return features.abs().mean(0).numpy()


def responses(lateral: Tensor, alphas: Sequence[float]) -> dict[float, np.ndarray]:
    """Energy of the high-frequency response F_i for each alpha (HS-FPN, Eq. 2 and Fig. 8).

    Args:
        lateral: C_i (C, H, W).
        alphas: each in [0, 1].

    Raises:
        UserError: an alpha outside of [0, 1].
    """
    wrong = [alpha for alpha in alphas if not 0 <= alpha <= 1]
    if wrong:
        raise UserError(f"--alphas {wrong[0]}: alpha lies between 0 and 1")
    return {alpha: energy(high_pass(lateral, alpha)) for alpha in alphas}
