"""The discrete cosine transform as matrices, and the filters that HS-FPN builds on it.

Shape shorthand: ... any leading axes, H x W the map, D_N the orthonormal DCT-II matrix (N, N),
k the number of lowest frequencies of an axis.

The transform is orthonormal, so removing the k_h x k_w lowest frequencies is a projection,
``x - Q_h x Q_w`` with ``Q = D[:k]^T D[:k]``: four small matrix products instead of a transform, a
mask and an inverse transform; it takes any size, and its gradient is the filter itself.
"""

import contextlib
import math
from functools import lru_cache

import torch
from torch import Tensor

__all__ = [
    "autocast_off",
    "band_rows",
    "dct2",
    "dct_matrix",
    "high_pass",
    "idct2",
    "working_dtype",
]

ROUNDINGS = ("floor", "ceil")
PLACES = 10**12  # decimals of alpha that count


# Asked once: the torch.compile of 2.6 cannot ask within a graph. Device "meta", say, has none.
AUTOCAST = frozenset(
    kind
    for kind in ("cpu", "cuda", "xpu", "mps", "hpu", "mtia", "xla")
    if torch.amp.is_autocast_available(kind)
)


def dct_matrix(
    size: int,
    rows: int | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    """The orthonormal DCT-II matrix, or its lowest frequencies.

    The matrix is computed in float64 and then rounded. It may be shared with other callers: do not
    write into it.

    Args:
        size: N, the number of samples, at least 1.
        rows: how many of the lowest frequencies, 0 to N; all by default.
        dtype: of the result.
        device: of the result.

    Returns:
        (rows, N); ``dct_matrix(N) @ x`` is the transform of the columns of ``x``.

    Examples:
        >>> import torch
        >>> from d2freq.ops.dct import dct_matrix
        >>> matrix = dct_matrix(8, dtype=torch.float64)
        >>> torch.allclose(matrix @ matrix.t(), torch.eye(8, dtype=torch.float64))
        True
        >>> tuple(dct_matrix(8, 2).shape)
        (2, 8)
    """
    rows = size if rows is None else rows
    if torch.jit.is_tracing() or torch.compiler.is_compiling():
        # Sizes are symbols here: the matrix becomes part of the graph and follows them.
        return _compute_matrix(size, rows, device).to(dtype)
    if size < 1 or not 0 <= rows <= size:
        raise ValueError(f"a DCT matrix of {rows} rows and {size} columns does not exist")
    return _cached_matrix(size, rows, dtype, torch.device(device))


def dct2(x: Tensor) -> Tensor:
    """Orthonormal 2-D DCT-II over the last two axes. (..., H, W) -> (..., H, W).

    Examples:
        >>> import torch
        >>> from d2freq.ops.dct import dct2, idct2
        >>> x = torch.randn(2, 5, 7, dtype=torch.float64)
        >>> torch.allclose(idct2(dct2(x)), x)
        True
    """
    return _matrix_like(x, x.shape[-2]) @ x @ _matrix_like(x, x.shape[-1]).t()


def idct2(x: Tensor) -> Tensor:
    """Inverse of :func:`dct2`. (..., H, W) -> (..., H, W)."""
    return _matrix_like(x, x.shape[-2]).t() @ x @ _matrix_like(x, x.shape[-1])


def band_rows(size: int, alpha: float, rounding: str = "floor") -> int:
    """How many of ``size`` frequencies lie in the low band: alpha x size, rounded.

    ``alpha`` counts as the decimal number it prints as, to twelve places, so 0.29 of 100 is 29,
    although the product of the two floats is 28.999...

    Examples:
        >>> from d2freq.ops.dct import band_rows
        >>> band_rows(100, 0.29), band_rows(10, 0.25), band_rows(10, 0.25, "ceil")
        (29, 2, 3)
    """
    if rounding not in ROUNDINGS:
        raise ValueError(f"rounding {rounding!r} is unknown; choose one of {', '.join(ROUNDINGS)}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha has to lie in [0, 1], got {alpha}")
    # Whole numbers only: exact, and the same code runs on the symbolic sizes of trace and compile.
    # In lowest terms: what runs an exported graph may count in 32 bits.
    part, whole = _lowest_terms(round(alpha * PLACES), PLACES)
    product = size * part
    if rounding == "ceil":
        product = product + (whole - 1)
    return product // whole


def high_pass(x: Tensor, alpha: float, rounding: str = "floor") -> Tensor:
    """Remove the lowest frequencies: those below ``alpha`` of the band on *both* axes (Eq. 2).

    Computed in float32 at least, also inside autocast: the result is a small difference of large
    numbers, which half precision would not keep.

    Args:
        x: (..., H, W), any floating dtype, any H and W. Four-dimensional maps in channels_last
            layout are filtered, and returned, in that layout.
        alpha: in [0, 1]; 0 returns ``x`` itself and 1 returns zeros.
        rounding: of alpha x size to whole frequencies, "floor" or "ceil".

    Returns:
        (..., H, W), dtype of ``x``.

    Examples:
        >>> import torch
        >>> from d2freq.ops.dct import high_pass
        >>> flat = torch.full((1, 2, 8, 12), 5.0)
        >>> bool(high_pass(flat, 0.25).abs().max() < 1e-5)
        True
        >>> tuple(high_pass(torch.randn(1, 2, 9, 13), 0.25).shape)
        (1, 2, 9, 13)
    """
    height, width = x.shape[-2], x.shape[-1]
    rows, columns = band_rows(height, alpha, rounding), band_rows(width, alpha, rounding)
    if alpha == 0:
        return x
    if alpha == 1:
        return x - x  # keeps the graph, with a zero gradient
    with autocast_off(x):
        signal = x.to(working_dtype(x))
        down = dct_matrix(height, rows, dtype=signal.dtype, device=x.device)
        across = dct_matrix(width, columns, dtype=signal.dtype, device=x.device)
        if _is_channels_last(signal):
            filtered = _subtract_band_channels_last(signal, down, across)
        else:
            filtered = _subtract_band(signal, down, across)
        return filtered.to(x.dtype)


def _lowest_terms(part: int, whole: int) -> tuple[int, int]:
    """Euclid written out: torch.compile knows no math.gcd."""
    divisor, rest = whole, part
    while rest:
        divisor, rest = rest, divisor % rest
    return part // divisor, whole // divisor


def autocast_off(x: Tensor) -> contextlib.AbstractContextManager:
    """A context in which autocast, if it is on for the device of ``x``, does nothing."""
    kind = x.device.type
    if kind in AUTOCAST and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return contextlib.nullcontext()


def working_dtype(x: Tensor) -> torch.dtype:
    """float32 for half-precision tensors, their own dtype for others."""
    return torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype


def _subtract_band(x: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """``x - down^T (down x across^T) across`` with W innermost: four products."""
    height, width = x.shape[-2:]
    maps = math.prod(x.shape[:-2])
    flat = x.reshape(maps * height, width)
    band = (flat @ across.t()).reshape(maps, height, across.shape[0])
    band = down.t() @ (down @ band)
    band = band.reshape(maps * height, across.shape[0])
    return torch.addmm(flat, band, across, alpha=-1).reshape(x.shape)


def _subtract_band_channels_last(x: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """The same for (B, C, H, W) with C innermost, where no step needs a transposed copy."""
    batch, channels, height, width = x.shape
    rows = down.shape[0]
    flat = x.permute(0, 2, 3, 1).reshape(batch, height, width * channels)
    band = (down @ flat).reshape(batch * rows, width, channels)
    band = across.t() @ (across @ band)
    band = band.reshape(batch, rows, width * channels)
    up = down.t().expand(batch, height, rows)
    filtered = torch.baddbmm(flat, up, band, alpha=-1)
    return filtered.reshape(batch, height, width, channels).permute(0, 3, 1, 2)


def _is_channels_last(x: Tensor) -> bool:
    if x.dim() != 4 or x.is_contiguous():
        return False
    return x.is_contiguous(memory_format=torch.channels_last)


def _matrix_like(x: Tensor, size: int) -> Tensor:
    return dct_matrix(size, dtype=x.dtype, device=x.device)


@lru_cache(maxsize=256)  # an entry is rows x size numbers: multi-scale training needs some dozens
def _cached_matrix(size: int, rows: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    # A tensor born in inference mode could not be used in training later on.
    with torch.inference_mode(False):
        return _compute_matrix(size, rows, "cpu").to(device=device, dtype=dtype)


def _compute_matrix(size: int, rows: int, device: torch.device | str) -> Tensor:
    frequency = torch.arange(rows, dtype=torch.float64, device=device)[:, None]
    sample = torch.arange(size, dtype=torch.float64, device=device)[None, :]
    # (2n + 1) k modulo the period 4N keeps the argument of the cosine, and so its error, small.
    phase = ((2 * sample + 1) * frequency) % (4 * size)
    wave = torch.cos(phase * (torch.pi / (2 * size)))
    scale = (2 - (frequency == 0).double()) / size
    return scale.sqrt() * wave
