"""What every unmixing model shares: its place in the trainer, its optics, and its outputs.

Shape shorthand: B trajectories of a batch, T frames of each, m pixels a side, c grid cells per
pixel and axis, g = c*m cells a side, N neighbours on either side of a frame, F = T - 2N frames that
have all their neighbours (the centre frames N .. T-1-N), n targets found in a frame. Intensities
are in grey levels, 0 to about 400, and never normalised; (row, column) is in pixels as in
d2freq.ops.psf.
"""

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import configurable
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.unmixing.checks import (
    check_decoding,
    check_optics,
    check_threshold,
    check_window,
)
from d2freq.modeling.unmixing.config import unmixing_arguments
from d2freq.modeling.unmixing.decoding.decode import BRIGHTNESS, decode_targets
from d2freq.modeling.unmixing.decoding.joint.decode import decode_windows
from d2freq.modeling.unmixing.decoding.targets import SCORES, Targets
from d2freq.modeling.unmixing.units import warn_of_units
from d2freq.ops.psf import sampling_matrix
from d2freq.utils.choices import choice

__all__ = ["UnmixingModel"]


class UnmixingModel(nn.Module):
    """Meta-architecture over trajectories; a subclass gives ``reconstruct`` and ``losses``.

    Buffers: ``phi`` (m*m, g*g) float32, the sampling matrix, and ``gram`` (g*g, g*g), Phi^T Phi,
    follow from the optics and are not saved; ``q_init`` (g*g, m*m) float32, the linear start, is.

    Attributes:
        needs_q_init: whether the method starts from ``q_init``; if not there is no such buffer.
        needs_gram: whether it takes gradient steps; if not there is no ``gram``.
    """

    needs_q_init = True
    needs_gram = True

    @configurable
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
    ) -> None:
        """Set up the optics.

        Args:
            q_init: (g*g, m*m) floating, kept in float32; see d2freq.data.seqcsist.load_q_init.
            size: pixels a side of a frame, m.
            factor: grid cells per pixel and axis, c.
            sigma: standard deviation of a target's spot in pixels.
            window: frames that one centre frame is seen with, 2N + 1. Methods that look at single
                frames read the same centre frames, so that all are measured on the same ones.
            decode: in evaluation also find targets between the cells, as "points".
            brightness: least and largest intensity of a target in grey levels, which the decoder
                takes as known; () for unknown.
            threshold: grey levels below which the decoder sees no target.
            score: by which CSO-mAP orders decoded targets: "confidence", minus the standard
                deviation of the position that the decoder states, or "intensity".
            decode_frames: frames that the decoder explains together: 1, an odd number for a window
                about each frame, or "all" for the whole trajectory.
            flicker: whether intensities differ from frame to frame within these.

        Raises:
            UserError: a number out of its range, an even window or ``decode_frames``, a
                ``brightness`` that is no range, an unknown ``score``, or a ``q_init`` that is
                missing or does not fit.
        """
        super().__init__()
        check_optics(size, factor, sigma)
        check_window(window)
        check_threshold(threshold)
        check_decoding(brightness, decode_frames)
        self.size, self.factor, self.sigma = size, factor, sigma
        self.brightness = tuple(brightness)
        self.window, self.decode, self.threshold = window, decode, threshold
        self.decode_frames, self.flicker = decode_frames, flicker
        self.score = choice(score, SCORES, key="MODEL.UNMIXING.SCORE")
        phi = sampling_matrix(size, factor, sigma)
        self.register_buffer("phi", phi.float(), persistent=False)
        if self.needs_gram:
            self.register_buffer("gram", (phi.T @ phi).float(), persistent=False)
        if self.needs_q_init:
            self.register_buffer("q_init", _fitting(q_init, phi.T.shape).to(self.phi, copy=True))

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.UNMIXING, with the Q_init of the training data where the method needs one."""
        return unmixing_arguments(cfg, needs_q_init=cls.needs_q_init)

    phi: Tensor
    gram: Tensor
    q_init: Tensor

    @property
    def device(self) -> torch.device:
        """Where frames are sent to."""
        return self.phi.device

    @property
    def grid(self) -> int:
        """Grid cells a side, g."""
        return self.size * self.factor

    @property
    def neighbours(self) -> int:
        """Frames on either side of a centre frame, N."""
        return self.window // 2

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """Losses in training; grids, and with ``decode`` targets, in evaluation.

        Args:
            batched_inputs: B records with "frames" (T, 1, m, m) and, in training, "target"
                (T, 1, g, g), both floating in grey levels; T is the same in all of them.

        Returns:
            In training a dict of scalar losses. Else a list with, for each trajectory,
            "grid" float32 (F, g, g) in grey levels, "frames" int64 (F,), which frames these are,
            and with ``decode`` three lists of F tensors float32: "points" (n, 3) of row, column,
            intensity, "covariances" (n, 2, 2) of row and column in square pixels, and "scores"
            (n,), larger for better.

        Raises:
            UserError: frames of another size, trajectories shorter than the window or of different
                lengths; it names the file.
        """
        frames = self._stack(batched_inputs, "frames", self.size)
        if self.training:
            return self.losses(frames, self._stack(batched_inputs, "target", self.grid))
        if not self.decode:  # the decoder looks itself
            warn_of_units(frames, threshold=self.threshold)
        grids = self.reconstruct(frames).float()
        middles = torch.arange(frames.shape[1], device=frames.device)
        middles = middles[self.neighbours : len(middles) - self.neighbours]
        outputs: list[dict[str, Any]] = [{"grid": grid, "frames": middles} for grid in grids]
        if self.decode:
            for output, found in zip(outputs, self.targets(grids, frames), strict=True):
                output["points"] = [targets.points for targets in found]
                output["covariances"] = [targets.covariances for targets in found]
                output["scores"] = [targets.scores(self.score) for targets in found]
        return outputs

    def reconstruct(self, frames: Tensor) -> Tensor:
        """(B, T, 1, m, m) frames -> (B, F, g, g) grids of the centre frames."""
        raise NotImplementedError

    def losses(self, frames: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """(B, T, 1, m, m) frames, (B, T, 1, g, g) targets -> scalars; names start with loss_."""
        raise NotImplementedError

    def centres(self, sequence: Tensor) -> Tensor:
        """(B, T, ...) -> (B, F, ...): the frames that have all their neighbours."""
        return sequence[:, self.neighbours : sequence.shape[1] - self.neighbours]

    def initial(self, frames: Tensor) -> Tensor:
        """Q_init's estimate, (..., 1, m, m) -> (..., 1, g, g) float32; DeRefNet, Eq. 6."""
        # 0 to 400 grey levels, and sums that nearly cancel: too much for 16 bits
        with torch.autocast(frames.device.type, enabled=False):
            flat = frames.flatten(-2).float() @ self.q_init.T
        return flat.unflatten(-1, (self.grid, self.grid))

    def back_projection(self, frames: Tensor) -> Tensor:
        """The frames seen from the grid, y Phi: (..., 1, m, m) -> (frames, g*g) float32."""
        with torch.autocast(frames.device.type, enabled=False):
            return frames.reshape(-1, self.size**2).float() @ self.phi

    def targets(self, grids: Tensor, frames: Tensor) -> list[list[Targets]]:
        """Sub-pixel targets, see decoding/decode.py and decoding/joint/decode.py.

        Args:
            grids: (B, F, g, g), what :meth:`reconstruct` made of the frames.
            frames: (B, T, 1, m, m), the frames themselves.

        Returns:
            of each trajectory the targets of its F centre frames.
        """
        known: dict[str, Any] = {
            "sigma": self.sigma,
            "factor": self.factor,
            "threshold": self.threshold,
            "brightness": self.brightness,
        }
        if self.decode_frames == 1:
            own = self.centres(frames)[:, :, 0].float()
            return [
                decode_targets(grid, seen, **known) for grid, seen in zip(grids, own, strict=True)
            ]
        # frames without half a window of neighbours have no grid, and help all the same
        sides = (0, 0, 0, 0, self.neighbours, self.neighbours)
        found = decode_windows(
            torch.nn.functional.pad(grids, sides),
            frames[:, :, 0].float(),
            window=None if self.decode_frames == "all" else int(self.decode_frames),
            flicker=self.flicker,
            **known,
        )
        return [own[self.neighbours : len(own) - self.neighbours] for own in found]

    def _stack(self, records: Sequence[dict[str, Any]], key: str, side: int) -> Tensor:
        for record in records:
            if not isinstance(record.get(key), Tensor):
                keys = ", ".join(sorted(map(str, record))) or "nothing"
                raise UserError(
                    f"{record.get('file_name', 'a record')} has {keys} and no tensor {key!r}: an "
                    "unmixing model takes trajectories, as d2freq.data.seqcsist.SequenceMapper "
                    "gives them (a data set such as seqcsist_train)"
                )
        sequences = [record[key] for record in records]
        for record, sequence in zip(records, sequences, strict=True):
            name, shape = record.get("file_name", "a trajectory"), tuple(sequence.shape)
            if sequence.ndim != 4 or shape[1:] != (1, side, side):
                raise UserError(
                    f"{name}: {key} of shape {shape}, but the model wants (T, 1, {side}, {side}); "
                    "set MODEL.UNMIXING.SIZE and FACTOR to the data's, or generate such data"
                )
            if shape[0] < self.window:
                raise UserError(
                    f"{name}: a trajectory of {shape[0]} frames is shorter than the window of "
                    f"{self.window} (MODEL.UNMIXING.WINDOW); leave it out, or take a smaller window"
                )
            if shape[0] != len(sequences[0]):
                raise UserError(
                    f"{name}: {shape[0]} frames, but {records[0].get('file_name', 'the first')} of "
                    f"the same batch has {len(sequences[0])}; batches need trajectories of equal "
                    "length, or SOLVER.IMS_PER_BATCH 1"
                )
        return torch.stack(sequences).to(self.device)


def _fitting(q_init: Tensor | None, shape: Sequence[int]) -> Tensor:
    if q_init is None:
        raise UserError(
            "this model starts from Q_init, and there is none: name the training data in "
            "MODEL.UNMIXING.Q_INIT or DATASETS.TRAIN (d2freq generate seqcsist computes it), or "
            "give the constructor q_init"
        )
    if tuple(q_init.shape) != tuple(shape):
        raise UserError(
            f"Q_init has shape {tuple(q_init.shape)}, the optics want {tuple(shape)}: it belongs "
            "to data of another MODEL.UNMIXING.SIZE or FACTOR; name the Q_init of this data"
        )
    return q_init
