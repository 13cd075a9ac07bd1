"""Where a joint fit begins: what single frames gave, moved to one place along their common path.

Shape shorthand: S sequences of T frames, N windows of W frames, K slots, D numbers of the motion.
"""

from dataclasses import replace

import torch

from d2freq.modeling.unmixing.decoding.joint.state import JointFit, Knowledge
from d2freq.modeling.unmixing.decoding.state import Fit

__all__ = ["from_frames"]


def from_frames(singles: Fit, knowledge: Knowledge) -> JointFit:
    """A start from each frame of each window, (N * W) in all, those of a window side by side.

    The path is Legendre's, through the centres of light that the single fits have.

    Args:
        singles: (N * W) fits of one frame, those of a window side by side.
    """
    length = len(knowledge.times)
    light = (singles.intensities * singles.active).unflatten(0, (-1, length))  # (N, W, K)
    places = singles.positions.unflatten(0, (-1, length))
    total = light.sum(2)
    centre = (places * light[..., None]).sum(2) / total.clamp(min=1e-9)[..., None]  # (N, W, 2)
    constant = torch.ones_like(knowledge.times)[:, None]
    basis = torch.cat([constant, knowledge.basis], 1)  # (W, D + 1)
    weighted = basis * total[..., None]
    normal = weighted.mT @ basis
    # frames without a target may leave the path open: then it stays where it is
    ridge = 1e-6 * normal.diagonal(dim1=1, dim2=2).amax(1).clamp(min=1e-6)
    normal = normal + ridge[:, None, None] * torch.eye(normal.shape[-1]).to(normal)
    path = torch.linalg.solve(normal, weighted.mT @ centre)  # (N, D + 1, 2)
    motion = path[:, 1:]
    moved = (knowledge.basis @ motion).flatten(0, 1)  # (N * W, 2), away from the middle
    shape = replace(singles, positions=singles.positions - moved[:, None])
    return JointFit.of(shape, motion.repeat_interleave(length, 0), length)
