"""Batch norm that never changes, and ``get_norm``, which names the norms."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class FrozenBatchNorm2d(nn.Module):
    """Batch norm whose statistics and affine parameters are buffers that never change.

    A fresh layer is the identity. Weights with ``weight`` and ``bias`` alone, as Caffe2 backbones
    have them, load too: the statistics are then taken as folded in.
    """

    _version = 3
    weight: torch.Tensor
    bias: torch.Tensor
    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(self, num_features: int, eps: float = 1e-5):
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.register_buffer("weight", torch.ones(num_features))
        self.register_buffer("bias", torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.full((num_features,), 1.0 - eps))
        # Only a layer that was converted from a trained BatchNorm has a count to keep.
        self.register_buffer("num_batches_tracked", None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalize (N, C, H, W), in the dtype of ``x``."""
        if not (x.requires_grad and torch.is_grad_enabled()):
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        # batch_norm would keep x for its backward; one multiply-add keeps only C factors.
        factor = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * factor
        factor, shift = (v.to(x.dtype).view(1, -1, 1, 1) for v in (factor, shift))
        return torch.addcmul(shift, x, factor)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: Mapping[str, Any], *args: Any
    ) -> None:
        if (local_metadata.get("version") or 1) < 2:
            # Such checkpoints may hold folded parameters, which stand for these statistics.
            state_dict.setdefault(prefix + "running_mean", torch.zeros_like(self.running_mean))
            state_dict.setdefault(prefix + "running_var", torch.ones_like(self.running_var))
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)

    @classmethod
    def convert_frozen_batchnorm(cls, module: nn.Module) -> nn.Module:
        """Replace each BatchNorm2d and SyncBatchNorm inside ``module`` by a frozen copy.

        Returns:
            ``module``, changed in place; a new layer where ``module`` is itself a batch norm.
        """
        if isinstance(module, (nn.BatchNorm2d, nn.SyncBatchNorm)):
            frozen = cls(module.num_features, module.eps)
            for name, value in module.state_dict().items():
                setattr(frozen, name, value.clone())
            return frozen
        for name, child in list(module.named_children()):
            setattr(module, name, cls.convert_frozen_batchnorm(child))
        return module


class CycleBatchNormList(nn.ModuleList):
    """One batch norm for each of several inputs that share a layer, used in turns.

    They share ``weight`` and ``bias`` and keep statistics of their own. The caller must hand in
    the inputs in one order, always all of them.
    """

    def __init__(
        self, length: int, bn_class: Callable[..., nn.Module] = nn.BatchNorm2d, **kwargs: Any
    ):
        """``length`` norms, each ``bn_class(**kwargs)``; ``affine=False``: no weight and bias."""
        affine = kwargs.pop("affine", True)
        super().__init__(bn_class(affine=False, **kwargs) for _ in range(length))
        channels = kwargs["num_features"]
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self._turn = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise (N, C, H, W) by the norm whose turn it is."""
        x = self[self._turn](x)
        self._turn = (self._turn + 1) % len(self)
        if self.weight is None or self.bias is None:
            return x
        return x * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "BN": nn.BatchNorm2d,
    "SyncBN": nn.SyncBatchNorm,
    "FrozenBN": FrozenBatchNorm2d,
    "GN": partial(nn.GroupNorm, 32),
}


def get_norm(norm: str | Callable[[int], nn.Module] | None, out_channels: int) -> nn.Module | None:
    """Build a norm layer for ``out_channels`` channels; None for "" and ``None``.

    ``norm`` is "", BN, SyncBN, FrozenBN or GN (32 groups), or a callable that takes the channels;
    KeyError for another name.
    """
    if norm is None or norm == "":
        return None
    if isinstance(norm, str):
        if norm not in _NORMS:
            raise KeyError(f"unknown norm {norm!r}; choose '' or one of {', '.join(_NORMS)}")
        norm = _NORMS[norm]
    return norm(out_channels)
