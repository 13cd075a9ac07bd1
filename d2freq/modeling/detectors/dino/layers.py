"""What encoder and decoder layers are made of, beside deformable attention.

Shapes: N images, Q queries, C channels, M heads.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from d2freq.ops.dct import working_dtype

__all__ = ["MLP", "FeedForward", "SelfAttention", "at_least_float", "run"]


def at_least_float(x: Tensor) -> Tensor:
    """In float32 where it was in half precision."""
    return x.to(working_dtype(x))


def run(function: Callable[..., Tensor], *inputs: object, keep_inputs_alone: bool) -> Tensor:
    """Call it; with ``keep_inputs_alone`` what is inside is computed again in backward."""
    if keep_inputs_alone and torch.is_grad_enabled():
        return checkpoint(function, *inputs, use_reentrant=False)
    return function(*inputs)


class MLP(nn.Module):
    """Linear layers with ReLU between them.

    Args:
        sizes: channels from first to last.
    """

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        pairs = zip(sizes[:-1], sizes[1:], strict=True)
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """(..., first of sizes) -> (..., last)."""
        *inner, last = self.layers
        for layer in inner:
            x = F.relu(layer(x))
        return last(x)


class FeedForward(nn.Module):
    """Two linear layers, ``inner`` and ``outer``; what comes out is to be added to what came in."""

    def __init__(self, channels: int, inner: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.inner = nn.Linear(channels, inner)
        self.outer = nn.Linear(inner, channels)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.inner, self.outer):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, Q, C) -> (N, Q, C)."""
        return self.outer(self.dropout(F.relu(self.inner(x))))


class SelfAttention(nn.Module):
    """Attention of queries to each other; their positions say where to look, not what is found."""

    def __init__(self, channels: int, *, heads: int = 8, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query_key = nn.Linear(channels, 2 * channels)
        self.value = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, channels)
        for layer in (self.query_key, self.value):
            # as if the three were one matrix, which torch's MultiheadAttention draws them as
            bound = (6 / (4 * channels)) ** 0.5
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor, positions: Tensor, hidden: Tensor | None = None) -> Tensor:
        """What each query finds at the others.

        Args:
            x, positions: (N, Q, C).
            hidden: (Q, Q) bool, True where the query of the row may not see that of the column.

        Returns:
            (N, Q, C).
        """
        query, key = self._by_head(self.query_key(x + positions)).chunk(2, dim=1)
        visible = None if hidden is None else hidden.logical_not()
        found = F.scaled_dot_product_attention(
            query,
            key,
            self._by_head(self.value(x)),
            attn_mask=visible,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.output(found.transpose(1, 2).flatten(2))

    def _by_head(self, x: Tensor) -> Tensor:
        """(N, Q, n C) -> (N, n M, Q, C / M)."""
        size = self.output.in_features // self.heads
        return x.unflatten(-1, (-1, size)).transpose(1, 2)
