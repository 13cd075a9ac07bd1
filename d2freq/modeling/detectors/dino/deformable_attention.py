"""Deformable attention: each query looks at a few points of every level (Deformable DETR).

Shapes: N images, Q queries, C channels, M heads, L levels of H_l x W_l cells, T cells of all
levels, P points that a head looks at on a level.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from d2freq.errors import UserError
from d2freq.modeling.detectors.dino.layers import at_least_float
from d2freq.ops.dct import autocast_off

__all__ = ["DeformableAttention", "attend_to_points"]


def attend_to_points(maps: Sequence[Tensor], locations: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of bilinear samples; what lies beyond a map's border counts as zero.

    Coordinates are taken in float32 at least whatever autocast says: half precision knows no
    position between the cells of a map of 200.

    Args:
        maps: L tensors (N, M, C / M, H_l, W_l), each head's values.
        locations: (N, Q, M, L, P, 2), (x, y) from 0 to 1 over a map and its padding.
        weights: (N, Q, M, L, P).

    Returns:
        (N, Q, C), heads behind each other, in the type of the maps.
    """
    heads = maps[0].shape[1]
    with autocast_off(maps[0]):
        grids = at_least_float(2 * locations - 1).transpose(1, 2).flatten(0, 1)  # (N M, Q, L, P, 2)
        shares = (
            at_least_float(weights).transpose(1, 2).flatten(0, 1).unsqueeze(1)
        )  # (N M, 1, Q, L, P)
        total: Tensor | None = None
        # A level after the other, so that the samples of all levels never stand side by side.
        for number, level in enumerate(maps):
            samples = F.grid_sample(
                at_least_float(level).flatten(0, 1),
                grids[:, :, number],
                mode="bilinear",
                padding_mode="zeros",
                align_corners=False,
            )  # (N M, C / M, Q, P)
            found = (samples * shares[:, :, :, number]).sum(dim=-1)
            total = found if total is None else total + found
        assert total is not None
        total = total.unflatten(0, (-1, heads)).flatten(1, 2).transpose(1, 2)
    return total.to(maps[0].dtype)


class DeformableAttention(nn.Module):
    """Attention of queries to the cells of a pyramid, at points that the query itself chooses.

    Args:
        channels: C.
        heads: M, divides C.
        levels, points: L and P.
        query_chunk: queries whose samples are held at once, 0 for all: N x ``query_chunk`` x C x P
            numbers a level. While gradients are recorded each part is computed again in backward.

    Raises:
        UserError: ``heads`` does not divide ``channels``.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.detectors.dino import DeformableAttention
        >>> attention = DeformableAttention(32, heads=4, levels=2, points=3)
        >>> shapes = [(8, 6), (4, 3)]
        >>> memory = torch.randn(1, 8 * 6 + 4 * 3, 32)
        >>> queries, references = torch.randn(1, 5, 32), torch.rand(1, 5, 2, 4)
        >>> tuple(attention(queries, references, memory, shapes).shape)
        (1, 5, 32)
    """

    def __init__(
        self,
        channels: int,
        *,
        heads: int = 8,
        levels: int = 5,
        points: int = 4,
        query_chunk: int = 0,
    ) -> None:
        super().__init__()
        if channels % heads:
            raise UserError(
                f"{heads} heads (MODEL.DINO.NUM_HEADS) cannot share {channels} channels "
                "(MODEL.DINO.HIDDEN_DIM): take a number that divides them"
            )
        self.heads, self.levels, self.points = heads, levels, points
        self.query_chunk = query_chunk
        self.offsets = nn.Linear(channels, heads * levels * points * 2)
        self.weights = nn.Linear(channels, heads * levels * points)
        self.values = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Head k looks along direction k of the compass, point p at p + 1 cells of the border.

        Whatever the query is at first: the weights of offsets and shares are zero.
        """
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.weights.weight)
        nn.init.zeros_(self.weights.bias)
        angles = torch.arange(self.heads, dtype=torch.float64) * (2 * math.pi / self.heads)
        directions = torch.stack([angles.cos(), angles.sin()], dim=-1)
        directions = directions / directions.abs().amax(dim=-1, keepdim=True)
        steps = torch.arange(1, self.points + 1, dtype=torch.float64)
        offsets = directions[:, None, None] * steps[:, None]  # (M, 1, P, 2)
        with torch.no_grad():
            self.offsets.bias.copy_(offsets.expand(-1, self.levels, -1, -1).flatten())
        for layer in (self.values, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        queries: Tensor,
        references: Tensor,
        memory: Tensor,
        shapes: Sequence[tuple[int, int]],
        padding: Tensor | None = None,
    ) -> Tensor:
        """What the queries find.

        Args:
            queries: (N, Q, C).
            references: (N, Q, L, 2), points (x, y) from 0 to 1 over each map and its padding:
                offsets are cells. Or (N, Q, L, 4), boxes (x, y, width, height): offsets are halves
                of its sides, over P.
            memory: (N, T, C), the levels' cells behind each other, rows first.
            shapes: L pairs (H_l, W_l).
            padding: (N, T) bool, cells that count as zero.

        Returns:
            (N, Q, C).
        """
        values = self.values(memory)
        if padding is not None:
            values = values.masked_fill(padding.unsqueeze(-1), 0.0)
        maps = self._split(values, shapes)
        count, chunk = queries.shape[1], self.query_chunk
        # A trace serves any number of queries, and would keep the number of parts of its example.
        if torch.jit.is_tracing() or not 0 < chunk < count:
            return self.output(self._look(queries, references, *maps))
        found = []
        for start in range(0, count, chunk):
            part = (queries[:, start : start + chunk], references[:, start : start + chunk], *maps)
            if torch.is_grad_enabled():
                found.append(checkpoint(self._look, *part, use_reentrant=False))
            else:
                found.append(self._look(*part))
        return self.output(torch.cat(found, dim=1))

    def _split(self, values: Tensor, shapes: Sequence[tuple[int, int]]) -> list[Tensor]:
        """(N, T, C) as the maps of ``attend_to_points``."""
        maps, start = [], 0
        for height, width in shapes:
            end = start + height * width
            level = values[:, start:end].unflatten(2, (self.heads, -1)).permute(0, 2, 3, 1)
            # not by unflatten, which in ONNX takes the sides of the example for those of any map
            maps.append(level.reshape(values.shape[0], self.heads, -1, height, width))
            start = end
        return maps

    def _look(self, queries: Tensor, references: Tensor, *maps: Tensor) -> Tensor:
        grid = (self.heads, self.levels, self.points)
        offsets = at_least_float(self.offsets(queries)).unflatten(-1, (*grid, 2))
        weights = at_least_float(self.weights(queries)).unflatten(-1, (self.heads, -1))
        weights = weights.softmax(dim=-1).unflatten(-1, grid[1:])
        places = at_least_float(references)[:, :, None, :, None]  # (N, Q, 1, L, 1, 2 or 4)
        if references.shape[-1] == 2:
            sides = [
                torch.stack([torch.as_tensor(side, device=queries.device) for side in size])
                for size in ((level.shape[-1], level.shape[-2]) for level in maps)
            ]
            locations = places + offsets / torch.stack(sides).to(offsets.dtype)[:, None]
        else:
            locations = places[..., :2] + offsets / self.points * places[..., 2:] * 0.5
        return attend_to_points(maps, locations, weights)
