"""All windows of all trajectories at once: which frame meets which.

Shape shorthand: B trajectories, T frames, N neighbours on either side, F = T - 2N centre frames,
M = B*F*2N pairs of a centre and a neighbour, in the order trajectory, centre, time.
"""

import torch
from torch import Tensor

__all__ = ["neighbour_frames", "neighbour_pairs"]


def neighbour_frames(frames: int, neighbours: int, device: torch.device | None = None) -> Tensor:
    """(F, 2N) int64: the frames around each centre frame N .. T-1-N, without itself.

    With five frames a window: frame 2 has 0, 1, 3, 4; frame 3 has 1, 2, 4, 5; and so on.
    """
    offsets = torch.arange(-neighbours, neighbours + 1, device=device)
    centres = torch.arange(neighbours, frames - neighbours, device=device)
    return centres[:, None] + offsets[offsets != 0]


def neighbour_pairs(centre: Tensor, other: Tensor, neighbours: int) -> tuple[Tensor, Tensor]:
    """The centre's and the neighbour's map of every pair.

    Args:
        centre: (B, T, C, g, g), read at the centre frame.
        other: (B, T, C', g, g), read at the neighbour.
        neighbours: N.

    Returns:
        (M, C, g, g) and (M, C', g, g).
    """
    frames = neighbour_frames(centre.shape[1], neighbours, centre.device)
    middles = centre[:, neighbours : centre.shape[1] - neighbours, None]
    repeated = middles.expand(-1, -1, frames.shape[1], -1, -1, -1)
    return repeated.flatten(0, 2), other[:, frames].flatten(0, 2)
