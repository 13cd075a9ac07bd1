"""CSO-mAP of estimates that err as little as the bound allows.

Each target is moved by a normal error of the bound's covariance, its number is right, and CSO-mAP
is taken of what comes out, by two orders of the detections: the intensity, as published, or minus
the standard deviation that the bound states of the position (of the circle as large as the ellipse
of errors, see d2freq.ops.fisher.equal_area_sd).
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2freq.data.seqcsist.trajectories import Trajectory
from d2freq.evaluation.cso.limits.bounds import Knowledge, bound_covariances
from d2freq.evaluation.cso.metric import cso_map
from d2freq.ops.fisher import equal_area_sd, position_covariances, position_sd

__all__ = ["ORDERS", "bound_scores"]

ORDERS = ("confidence", "intensity")


def bound_scores(
    trajectories: Sequence[Trajectory],
    *,
    noise: float,
    known: Knowledge,
    window: int = 5,
    draws: int = 1,
    seed: int = 0,
    **optics: Any,
) -> dict[str, Any]:
    """CSO-mAP and position error at the bound.

    Args:
        trajectories: see d2freq.data.seqcsist.trajectories; of one length, any numbers of targets.
        noise: standard deviation of a pixel in grey levels.
        known: what the estimate may know.
        window: frames without half of one on both sides are not measured, as by CSOEvaluator.
        draws: of the errors.
        seed: of the draws.
        optics: size, sigma, rounding, saturation, plane, as :func:`bound_covariances` takes them.

    Returns:
        ``"confidence"`` and ``"intensity"``: a dict each as by ``cso_map``, in [0, 1], mean of the
        draws; of the root mean square error of an axis of a frame, in pixels, the median over the
        frames: ``"sd"`` as the bound expects it, ``"error"`` as it was drawn.

    Raises:
        UserError: as by :func:`bound_covariances`.
    """
    groups: dict[int, list[Trajectory]] = defaultdict(list)
    for trajectory in trajectories:
        groups[trajectory.positions.shape[1]].append(trajectory)
    generator = torch.Generator().manual_seed(seed)
    truth: list[np.ndarray] = []
    found: list[dict[str, list[np.ndarray]]] = [{k: [] for k in ORDERS} for _ in range(draws)]
    spreads, made = [], []
    for count in sorted(groups):
        own = groups[count]
        positions = torch.from_numpy(np.stack([one.positions for one in own]))
        lights = torch.from_numpy(np.stack([one.intensities for one in own]))
        directions = torch.from_numpy(np.stack([one.directions for one in own]))
        known_to = bound_covariances(
            positions, lights, noise=noise, known=known, directions=directions, **optics
        )
        middle = slice(window // 2, positions.shape[1] - window // 2)
        known_to, positions, lights = (part[:, middle] for part in (known_to, positions, lights))
        covariances = position_covariances(known_to)
        sd = position_sd(covariances)
        spreads.append(sd.square().mean(-1).sqrt().flatten())
        truth += list(positions.flatten(0, 1).numpy())
        for draw in found:
            error = _errors(known_to[..., : 2 * count, : 2 * count], generator)
            made.append(error.square().mean((-1, -2)).sqrt().flatten())
            moved = positions + error
            sure = -equal_area_sd(covariances)
            for order, score in (("confidence", sure), ("intensity", lights)):
                rows = torch.cat([moved, score[..., None]], -1)
                draw[order] += list(rows.flatten(0, 1).numpy())
    values: dict[str, Any] = {}
    for order in ORDERS:
        scores = [cso_map(draw[order], truth) for draw in found]
        values[order] = {key: float(np.mean([s[key] for s in scores])) for key in scores[0]}
    typical = {"sd": torch.cat(spreads).median(), "error": torch.cat(made).median()}
    return values | {key: float(value) for key, value in typical.items()}


def _errors(covariances: Tensor, generator: torch.Generator) -> Tensor:
    """A draw of normal errors of K rows and K columns, (..., 2K, 2K) -> (..., K, 2)."""
    values, vectors = torch.linalg.eigh(covariances)
    normal = torch.randn(values.shape, generator=generator, dtype=values.dtype)
    drawn = (vectors * values.clamp(min=0).sqrt()[..., None, :]) @ normal[..., None]
    return drawn[..., 0].unflatten(-1, (2, -1)).mT
