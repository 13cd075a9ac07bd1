"""DeRefNet, the deformable refinement network of SeqCSIST (DeRefNet, Fig. 4).

Shape shorthand: B trajectories, T frames, m x m pixels, g x g grid, F centre frames, 2N neighbours
of each.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.derefnet.alignment import TemporalAlignment
from d2freq.modeling.derefnet.begin_as_ista import INITS, begin_as_ista
from d2freq.modeling.derefnet.config import derefnet_keys
from d2freq.modeling.derefnet.losses import alignment_loss, regression_loss
from d2freq.modeling.derefnet.network import ResidualFeatures, Tail, Unfolding
from d2freq.modeling.derefnet.switches import Switches
from d2freq.modeling.derefnet.time_encoding import build_time_encoding
from d2freq.modeling.derefnet.translation import TranslationAlignment
from d2freq.modeling.registration import register
from d2freq.modeling.switches import takes_switches
from d2freq.modeling.unmixing.base import UnmixingModel
from d2freq.modeling.unmixing.decoding.decode import BRIGHTNESS
from d2freq.modeling.unmixing.stages import squared_error
from d2freq.utils.choices import choice
from d2freq.utils.own_keys import own_keys

__all__ = ["DeRefNet"]


class Refined(NamedTuple):
    """What follows from the features H^(K); losses want all of it."""

    encoded: Tensor  # H' (B, T, 1, g, g)
    aligned: Tensor  # H'' (B, F, 2N, g, g)
    grids: Tensor  # H (B, F, g, g)


@register(META_ARCH_REGISTRY)
class DeRefNet(UnmixingModel):
    """Unfolded features of each frame, time encoding, deformable alignment, tail.

    All windows of all trajectories of a batch go through in one pass, and a frame's features are
    computed once, not once for each window it lies in.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.derefnet import DeRefNet
        >>> model = DeRefNet(q_init=torch.zeros(1089, 121), stages=1, channels=4, blocks=1)
        >>> record = {"frames": torch.rand(7, 1, 11, 11), "target": torch.zeros(7, 1, 33, 33)}
        >>> sorted(model([record]))
        ['loss_align', 'loss_constraint', 'loss_regression']
        >>> with torch.no_grad():
        ...     output = model.eval()([record])[0]
        >>> tuple(output["grid"].shape), output["frames"].tolist()
        ((3, 33, 33), [2, 3, 4])
    """

    @configurable
    @takes_switches(Switches)
    def __init__(
        self,
        *,
        q_init: Tensor | None = None,
        size: int = 11,
        factor: int = 3,
        sigma: float = 0.5,
        window: int = 5,
        decode: bool = False,
        brightness: Sequence[float] = BRIGHTNESS,
        threshold: float = 70.0,
        score: str = "confidence",
        decode_frames: int | str = 1,
        flicker: bool = False,
        preset: str = "released",
        channels: int = 32,
        blocks: int = 5,
        init: str = "random",
        train_windows: int = 0,
        **switches: Any,
    ) -> None:
        """Build the network.

        Args:
            q_init, size, factor, sigma, window: see :class:`UnmixingModel`, as for the next two.
            decode, brightness, threshold, score: of the decoder.
            decode_frames, flicker: likewise.
            preset: "released" or "paper"; it sets all switches that are None.
            channels: of all convolutions, even.
            blocks: residual blocks of the tail.
            init: "random" or "ista", see :func:`begin_as_ista`.
            train_windows: windows of a trajectory in a step of training; 0 for all.
            **switches: a keyword for each field of :class:`Switches`, which says what it does; None
                leaves the preset's.

        Raises:
            UserError: an unknown preset or switch value, or what UnmixingModel refuses.
        """
        super().__init__(
            q_init=q_init,
            size=size,
            factor=factor,
            sigma=sigma,
            window=window,
            decode=decode,
            brightness=brightness,
            threshold=threshold,
            score=score,
            decode_frames=decode_frames,
            flicker=flicker,
        )
        self.switches = Switches.resolve(preset, switches)
        if channels < 2 or channels % 2 or blocks < 0:
            raise UserError(
                f"MODEL.DEREFNET.CHANNELS is {channels}, BLOCKS {blocks}: channels are even (the "
                "attention halves them), and there are 0 blocks or more"
            )
        choice(init, INITS, key="MODEL.DEREFNET.INIT")
        if train_windows < 0:
            raise UserError(
                f"MODEL.DEREFNET.TRAIN_WINDOWS is {train_windows}: a number of windows, 0 for all"
            )
        self.train_windows = train_windows
        unfolds = self.switches.features == "unfolding"
        if init == "ista" and not unfolds:
            raise UserError(
                "MODEL.DEREFNET.INIT is ista, but FEATURES residual has no stages to begin with: "
                "take INIT random, or FEATURES unfolding"
            )
        make_features = Unfolding if unfolds else ResidualFeatures
        self.unfolding: Unfolding | ResidualFeatures = make_features(self.switches.stages, channels)
        self.time_encoding = build_time_encoding(self.switches.time_encoding, self.grid**2)
        self.alignment = self._make_alignment(channels)
        self.tail = Tail(window, channels, blocks)
        if init == "ista":
            encoded = self.time_encoding is not None and self.switches.centre == "encoded"
            assert isinstance(self.unfolding, Unfolding)
            begin_as_ista(self.unfolding, self.tail, self.gram, gain=2.0 if encoded else 1.0)

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.UNMIXING and MODEL.DEREFNET."""
        keys = own_keys(cfg, "MODEL.DEREFNET", derefnet_keys())
        own = {name: keys[name.upper()] for name in ("channels", "blocks", "init", "train_windows")}
        return {**super().from_config(cfg), **own, **Switches.read(keys)}

    def _make_alignment(self, channels: int) -> nn.Module:
        if self.switches.alignment == "translation":
            return TranslationAlignment(channels, neighbours=self.neighbours)
        return TemporalAlignment(
            channels,
            neighbours=self.neighbours,
            guide=self.switches.guide,
            alignments=self.switches.alignments,
        )

    def reconstruct(self, frames: Tensor) -> Tensor:
        """(B, T, 1, m, m) frames -> (B, F, g, g) grids of the centre frames, in grey levels."""
        start, gram, back = self._start(frames)
        features = self.unfolding.estimate(start, gram, back)
        return self.refine(features.unflatten(0, frames.shape[:2]), back).grids

    def losses(self, frames: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Weighted loss_regression, loss_constraint and loss_align (Eq. 25).

        With ``train_windows`` they are of that many windows, drawn anew each time by torch's
        generator, the same ones of all B trajectories.

        Args:
            frames: (B, T, 1, m, m).
            targets: (B, T, 1, g, g).
        """
        switches = self.switches
        first = self._draw_first(frames.shape[1])
        if self.train_windows:
            last = first + self.train_windows + 2 * self.neighbours
            frames, targets = frames[:, first:last], targets[:, first:last]
        start, gram, back = self._start(frames)
        if switches.constraint_on == "truth":
            flat = self.unfolding.estimate(start, gram, back)
            residuals = self.unfolding.inversion_errors(targets.flatten(0, 1))
        else:
            flat, residuals = self.unfolding(start, gram, back)
        features = flat.unflatten(0, frames.shape[:2])
        refined = self.refine(features, back, first)
        reference = features if switches.align_reference == "features" else refined.encoded
        regression = regression_loss(
            refined.grids, self.centres(targets).squeeze(2), switches.regression_reduction
        )
        align = alignment_loss(refined.aligned, self.centres(reference), switches.align_reduction)
        losses = {"loss_regression": switches.regression_weight * regression}
        if residuals:
            losses["loss_constraint"] = switches.constraint_weight * squared_error(residuals)
        return {**losses, "loss_align": switches.align_weight * align}

    def refine(self, features: Tensor, back: Tensor, first: int = 0) -> Refined:
        """Encoded, aligned and unmixed grids.

        Args:
            features: (B, T, 1, g, g), H^(K) of every frame.
            back: (B*T, g*g), y Phi, on which a translation is measured.
            first: the number of the first of these frames in its trajectory.
        """
        encoded = features
        if self.time_encoding is not None:
            encoded = self.time_encoding(features, first)
        if self.switches.alignment == "translation":
            aligned = self.alignment(encoded, back.reshape(features.shape))
        else:
            aligned = self.alignment(encoded)
        own = encoded if self.switches.centre == "encoded" else features
        before, after = aligned.split(self.neighbours, dim=2)
        window = torch.cat([before, self.centres(own).to(aligned), after], dim=2)
        grids = self.tail(window.flatten(0, 1)).unflatten(0, window.shape[:2])
        return Refined(encoded, aligned, grids)

    def _draw_first(self, frames: int) -> int:
        """Where the windows of a step begin in a trajectory of so many frames."""
        spare = frames - 2 * self.neighbours - self.train_windows
        if not self.train_windows or spare <= 0:
            return 0
        return int(torch.randint(spare + 1, ()))

    def _start(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Q_init's estimates (B*T, 1, g, g), Phi^T Phi and y Phi."""
        return self.initial(frames).flatten(0, 1), self.gram, self.back_projection(frames)
