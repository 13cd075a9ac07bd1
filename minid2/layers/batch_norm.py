"""Normalization layers and ``get_norm``, which names them.

Shapes: N images, C channels, H x W positions.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from fvcore.nn.distributed import differentiable_all_reduce
from torch import nn
from torch.nn import functional as F

__all__ = ["FrozenBatchNorm2d", "LayerNorm", "NaiveSyncBatchNorm", "get_norm"]


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
        """Make an identity.

        Args:
            num_features: C.
            eps: added to the variance.
        """
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
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        *args: Any,
    ) -> None:
        if (local_metadata.get("version") or 1) < 2:
            # Such checkpoints may hold folded parameters, which stand for these statistics.
            state_dict.setdefault(prefix + "running_mean", torch.zeros_like(self.running_mean))
            state_dict.setdefault(prefix + "running_var", torch.ones_like(self.running_var))
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)

    def extra_repr(self) -> str:
        """The layer's size in ``repr``."""
        return f"num_features={self.num_features}, eps={self.eps}"

    @classmethod
    def convert_frozen_batchnorm(cls, module: nn.Module) -> nn.Module:
        """Replace each BatchNorm2d and SyncBatchNorm inside ``module`` by a frozen copy.

        Returns:
            ``module``, changed in place; a new layer where ``module`` is itself a batch norm.
        """
        if isinstance(module, (nn.BatchNorm2d, nn.SyncBatchNorm)):
            return _copy_norm(module, cls(module.num_features, module.eps))
        return _replace_children(module, cls.convert_frozen_batchnorm)

    @classmethod
    def convert_frozenbatchnorm2d_to_batchnorm2d(cls, module: nn.Module) -> nn.Module:
        """Replace each frozen layer inside ``module`` by a BatchNorm2d; see the reverse above."""
        if isinstance(module, cls):
            return _copy_norm(module, nn.BatchNorm2d(module.num_features, module.eps))
        return _replace_children(module, cls.convert_frozenbatchnorm2d_to_batchnorm2d)


def _copy_norm(old: nn.Module, new: nn.Module) -> nn.Module:
    """Give ``new`` what ``old`` has learned, its device and its mode."""
    with torch.no_grad():
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            value = getattr(old, name)
            if value is None:  # no affine part, or a frozen layer without a count
                continue
            if isinstance(getattr(new, name), nn.Parameter):
                setattr(new, name, nn.Parameter(value.detach().clone()))
            else:
                setattr(new, name, value.detach().clone())
    if isinstance(old.running_mean, torch.Tensor):
        new.to(old.running_mean.device)
    return new.train(old.training)


def _replace_children(module: nn.Module, convert: Callable[[nn.Module], nn.Module]) -> nn.Module:
    for name, child in list(module.named_children()):
        replacement = convert(child)
        if replacement is not child:
            setattr(module, name, replacement)
    return module


class NaiveSyncBatchNorm(nn.BatchNorm2d):
    """Batch norm over all processes by averaging their moments; works on CPU (gloo) too.

    With one process, or in inference, it is a plain ``BatchNorm2d``.
    """

    def __init__(self, *args: Any, stats_mode: str = "", **kwargs: Any):
        """Take the arguments of ``BatchNorm2d``, and how to weigh the processes.

        Args:
            args: positional arguments of ``BatchNorm2d``.
            stats_mode: "" gives every process the same weight, "N" weighs by the number of
                images and allows a process to have none.
            kwargs: keyword arguments of ``BatchNorm2d``.
        """
        super().__init__(*args, **kwargs)
        if stats_mode not in ("", "N"):
            raise ValueError(f"stats_mode is '' or 'N', got {stats_mode!r}")
        self._stats_mode = stats_mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalize (N, C, H, W); N may be 0 with ``stats_mode="N"``."""
        alone = not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1
        if alone or not self.training:
            return super().forward(x)
        dtype, x = x.dtype, x.float()
        mean, variance, images = self._joined_moments(x)
        assert self.running_mean is not None and self.running_var is not None
        # All processes empty: the moments mean nothing, so they must not be remembered.
        momentum = (self.momentum or 0.0) * (images > 0)
        with torch.no_grad():
            self.running_mean.lerp_(mean.detach(), momentum)
            self.running_var.lerp_(variance.detach(), momentum)
        factor = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * factor
        return (x * factor.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)).to(dtype)

    def _joined_moments(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Mean (C,), biased variance (C,) and image count (1,) over all processes."""
        if len(x) == 0 and self._stats_mode == "":
            raise ValueError("an empty batch needs NaiveSyncBatchNorm(stats_mode='N')")
        weight = x.new_full((1,), float(len(x)) if self._stats_mode == "N" else 1.0)
        if len(x):
            moments = torch.cat([x.mean(dim=(0, 2, 3)), (x * x).mean(dim=(0, 2, 3))])
        else:
            moments = x.sum() + x.new_zeros(2 * x.shape[1])  # keeps this process in the graph
        joined = differentiable_all_reduce(torch.cat([moments * weight, weight]))
        total = joined[-1:].detach()
        mean, square = (joined[:-1] / total.clamp(min=1)).chunk(2)
        return mean, square - mean * mean, total


class LayerNorm(nn.Module):
    """Layer norm over the channels of each position of a (N, C, H, W) map."""

    def __init__(self, normalized_shape: int, eps: float = 1e-6):
        """Make an identity scale and shift.

        Args:
            normalized_shape: C.
            eps: added to the variance.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.ones(normalized_shape))
        self.bias = nn.Parameter(torch.zeros(normalized_shape))
        self.eps = eps
        self.normalized_shape = (normalized_shape,)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalize (N, C, H, W) over C."""
        variance, mean = torch.var_mean(x, dim=1, keepdim=True, correction=0)
        unit = (x - mean) * (variance + self.eps).rsqrt()
        return unit * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "BN": nn.BatchNorm2d,
    "SyncBN": nn.SyncBatchNorm,
    "FrozenBN": FrozenBatchNorm2d,
    "GN": partial(nn.GroupNorm, 32),
    "LN": LayerNorm,
    "nnSyncBN": nn.SyncBatchNorm,
    "naiveSyncBN": NaiveSyncBatchNorm,
    "naiveSyncBN_N": partial(NaiveSyncBatchNorm, stats_mode="N"),
}


def get_norm(norm: str | Callable[[int], nn.Module] | None, out_channels: int) -> nn.Module | None:
    """Build a norm layer for ``out_channels`` channels.

    Args:
        norm: "", BN, SyncBN, FrozenBN, GN (32 groups), LN, nnSyncBN, naiveSyncBN or
            naiveSyncBN_N; or a callable that takes the number of channels.
        out_channels: C.

    Returns:
        The layer; ``None`` for "" and ``None``.

    Raises:
        KeyError: for an unknown name; the message lists the known ones.
    """
    if norm is None or norm == "":
        return None
    if isinstance(norm, str):
        if norm not in _NORMS:
            raise KeyError(f"unknown norm {norm!r}; choose '' or one of {', '.join(_NORMS)}")
        norm = _NORMS[norm]
    return norm(out_channels)
