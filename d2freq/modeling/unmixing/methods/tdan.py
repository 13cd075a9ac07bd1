"""TDAN: neighbours aligned by deformable convolutions, then fused (Tian et al. 2020).

Shapes as in base.py; B trajectories, T frames, F centre frames, W = 2N + 1 frames of a window,
P = B * F * (W - 1) pairs of a centre frame and a neighbour, C channels.
"""

from typing import Any

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.base import UnmixingModel
from d2freq.modeling.unmixing.blocks import convolved_blocks, upsampler
from d2freq.modeling.unmixing.deformable import DeformConv
from d2freq.modeling.unmixing.methods.config import keys_of

__all__ = ["TDAN"]


@register(META_ARCH_REGISTRY)
class TDAN(UnmixingModel):
    """584,833 parameters with windows of 5 frames.

    Every frame's features are computed once. All pairs of all windows are aligned in one batch.
    The centre that the network fuses, and that aligned neighbours are compared with, is the
    window's own; the published code takes frame 10 of the trajectory for every window.
    """

    needs_q_init = False
    needs_gram = False

    @configurable
    def __init__(
        self,
        *,
        channels: int = 32,
        feature_blocks: int = 5,
        fusion_blocks: int = 10,
        deform_groups: int = 8,
        align_weight: float = 0.008,
        **optics: Any,
    ) -> None:
        """See MODEL.TDAN in config.py.

        Args:
            channels: of every layer.
            feature_blocks: residual blocks before the alignment.
            fusion_blocks: residual blocks behind it.
            deform_groups: groups of channels with offsets of their own.
            align_weight: of the squared error of the aligned frames, a mean over neighbours alone.
            **optics: of :class:`UnmixingModel`.
        """
        super().__init__(**optics)
        self.align_weight = align_weight
        self.features = convolved_blocks(1, channels, feature_blocks)
        self.pair = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.pair_deforms = nn.ModuleList(
            DeformConv(channels, groups=deform_groups) for _ in range(2)
        )
        self.align1 = DeformConv(channels, groups=deform_groups)
        self.align2 = DeformConv(channels, groups=deform_groups)
        self.to_frame = nn.Conv2d(channels, 1, 3, padding=1)
        self.fuse = convolved_blocks(self.window, channels, fusion_blocks)
        self.enlarge = upsampler(channels, self.factor)
        self.last = nn.Conv2d(channels, 1, 3, padding=1, bias=False)

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.TDAN and MODEL.UNMIXING."""
        keys = keys_of(cfg, "TDAN")
        return {
            **super().from_config(cfg),
            "channels": keys.CHANNELS,
            "feature_blocks": keys.FEATURE_BLOCKS,
            "fusion_blocks": keys.FUSION_BLOCKS,
            "deform_groups": keys.DEFORM_GROUPS,
            "align_weight": keys.ALIGN_WEIGHT,
        }

    def reconstruct(self, frames: Tensor) -> Tensor:
        """(B, T, 1, m, m) -> (B, F, g, g)."""
        return self._fuse(frames, self.align(frames))

    def losses(self, frames: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Mean squared error of the grids, and of the aligned frames against their centre."""
        aligned = self.align(frames)
        grids = self._fuse(frames, aligned).float()
        centres = self.centres(frames)  # (B, F, 1, m, m), against (B, F, W-1, m, m)
        alignment = F.mse_loss(aligned.float(), centres.float().expand_as(aligned))
        return {
            "loss_reg": F.mse_loss(grids, self.centres(targets).squeeze(2).float()),
            "loss_align": self.align_weight * alignment,
        }

    def align(self, frames: Tensor) -> Tensor:
        """Each window's neighbours as seen from its centre: (B, T, 1, m, m) -> (B, F, W-1, m, m).

        Neighbours stand in the order of time.
        """
        count = frames.shape[1] - 2 * self.neighbours
        features = self.features(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        shifts = [n for n in range(self.window) if n != self.neighbours]
        others = torch.stack([features[:, n : n + count] for n in shifts], dim=2)
        middles = self.centres(features).unsqueeze(2).expand_as(others)
        aligned = self._align_pairs(middles.flatten(0, 2), others.flatten(0, 2))
        return aligned.reshape(*others.shape[:3], self.size, self.size)

    def _align_pairs(self, middles: Tensor, others: Tensor) -> Tensor:
        """(P, C, m, m) features of centres and of neighbours -> (P, 1, m, m) aligned frames."""
        guide = self.pair(torch.cat([middles, others], dim=1))
        for deform in self.pair_deforms:
            guide = deform(guide, guide)
        aligned = self.align1(others, guide)
        return self.to_frame(self.align2(aligned, aligned))

    def _fuse(self, frames: Tensor, aligned: Tensor) -> Tensor:
        before, after = aligned.tensor_split([self.neighbours], dim=2)
        window = torch.cat([before, self.centres(frames).to(aligned.dtype), after], dim=2)
        grids = self.last(self.enlarge(self.fuse(window.flatten(0, 1))))
        return grids.reshape(*window.shape[:2], self.grid, self.grid)
