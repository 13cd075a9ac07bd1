"""d2freq.ops.dct against scipy, a naive double loop and finite differences."""

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.fft
import torch

from d2freq.ops.dct import band_rows, dct2, dct_matrix, high_pass, idct2

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}


def scipy_high_pass(x, rows, columns):
    spectrum = scipy.fft.dctn(x, axes=(-2, -1), norm="ortho")
    spectrum[..., :rows, :columns] = 0
    return scipy.fft.idctn(spectrum, axes=(-2, -1), norm="ortho")


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_matrix_equals_scipy_and_is_orthonormal_for_all_sizes(dtype):
    for size in range(1, 65):
        matrix = dct_matrix(size, dtype=dtype)
        oracle = scipy.fft.dct(np.eye(size), axis=0, norm="ortho")
        assert matrix.dtype == dtype
        np.testing.assert_allclose(matrix.numpy(), oracle, rtol=0, atol=TOLERANCE[dtype])
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(size), rtol=0, atol=TOLERANCE[dtype])
        half = size // 2
        assert torch.equal(dct_matrix(size, half, dtype=dtype), matrix[:half])


def test_transform_equals_the_defining_double_sum():
    x = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    spectrum = dct2(x)
    for u in range(3):
        for v in range(5):
            total = sum(
                x[i, j].item()
                * math.cos(math.pi * (2 * i + 1) * u / 6)
                * math.cos(math.pi * (2 * j + 1) * v / 10)
                for i in range(3)
                for j in range(5)
            )
            scale = math.sqrt((1 if u == 0 else 2) / 3) * math.sqrt((1 if v == 0 else 2) / 5)
            assert spectrum[u, v].item() == pytest.approx(scale * total, abs=1e-12)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_inverse_undoes_the_transform(dtype):
    x = torch.randn(2, 3, 17, 40, dtype=dtype)
    torch.testing.assert_close(idct2(dct2(x)), x, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("alpha", [0, 0.25, 0.5, 0.75, 1])
@pytest.mark.parametrize("rounding", ["floor", "ceil"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_high_pass_equals_mask_in_the_spectrum(dtype, layout, rounding, alpha):
    for height, width in [(1, 1), (1, 7), (2, 3), (5, 4), (16, 16), (25, 38)]:
        x = torch.randn(2, 3, height, width, dtype=dtype).contiguous(memory_format=layout)
        exact = {"floor": math.floor, "ceil": math.ceil}[rounding]
        oracle = scipy_high_pass(x.numpy(), exact(alpha * height), exact(alpha * width))
        result = high_pass(x, alpha, rounding)
        assert result.dtype == dtype
        assert result.is_contiguous(memory_format=layout)
        np.testing.assert_allclose(result.numpy(), oracle, rtol=0, atol=TOLERANCE[dtype])


def test_alpha_zero_and_one_are_exact():
    x = torch.randn(2, 9, 9, requires_grad=True)
    assert torch.equal(high_pass(x, 0), x)
    blocked = high_pass(x, 1)
    assert blocked.count_nonzero() == 0
    (gradient,) = torch.autograd.grad(blocked.sum(), x)
    assert gradient.count_nonzero() == 0


def test_rounding_takes_alpha_as_a_decimal_number():
    # 0.29 * 100 is 28.999..., 0.07 * 100 is 7.000...01 in binary floating point.
    assert band_rows(100, 0.29, "floor") == 29
    assert band_rows(100, 0.07, "ceil") == 7
    assert (band_rows(10, 0.25, "floor"), band_rows(10, 0.25, "ceil")) == (2, 3)


@pytest.mark.parametrize("size", [1, 50, 81, 99, 100, 200, 1024])
def test_rounding_is_exact_for_long_decimals(size):
    """Fractions near to these, such as 1/3 for 0.33333, round to another number of rows."""
    for text in ("0.33333", "0.12345678", "0.99999", "1e-5", "0.666666666667", "1e-12", "0", "1"):
        product = size * Fraction(text)
        assert band_rows(size, float(text), "floor") == math.floor(product), text
        assert band_rows(size, float(text), "ceil") == math.ceil(product), text


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradient_of_the_filter_is_exact_and_is_the_filter(layout):
    x = torch.randn(1, 2, 5, 6, dtype=torch.float64).contiguous(memory_format=layout)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda v: high_pass(v, 0.5), x)
    assert torch.autograd.gradgradcheck(lambda v: high_pass(v, 0.5).square(), x)
    incoming = torch.randn_like(x)
    (gradient,) = torch.autograd.grad(high_pass(x, 0.5), x, incoming)
    torch.testing.assert_close(gradient, high_pass(incoming, 0.5), rtol=0, atol=1e-12)


def test_filter_keeps_full_precision_under_autocast():
    x = torch.randn(1, 4, 32, 32) + 100  # a small signal on a large mean
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(high_pass(x, 0.25), high_pass(x.clone(), 0.25))
        result = high_pass(x, 0.25)
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result, scipy_high_pass(x.double().numpy(), 8, 8), atol=1e-4)
    assert high_pass(x.bfloat16(), 0.25).dtype == torch.bfloat16


def test_a_matrix_first_used_in_inference_mode_serves_training_later():
    with torch.inference_mode():
        high_pass(torch.randn(1, 1, 61, 59), 0.25)
    x = torch.randn(1, 1, 61, 59, requires_grad=True)
    high_pass(x, 0.25).square().sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("alpha", [0.25, 0.333333333333])
def test_a_trace_follows_the_size(layout, alpha):
    example = torch.randn(1, 2, 16, 12).contiguous(memory_format=layout)
    traced = torch.jit.trace(lambda v: high_pass(v, alpha), example)
    for size in [(16, 12), (21, 35), (3, 40)]:
        x = torch.randn(2, 2, *size).contiguous(memory_format=layout)
        torch.testing.assert_close(traced(x), high_pass(x, alpha), rtol=0, atol=1e-5)


@pytest.mark.parametrize("alpha", [0.25, 0.333333333333])
def test_export_follows_the_size(alpha):
    class Filter(torch.nn.Module):
        def forward(self, x):
            return high_pass(x, alpha)

    sizes = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    program = torch.export.export(Filter(), (torch.randn(1, 2, 16, 12),), dynamic_shapes=(sizes,))
    x = torch.randn(1, 2, 21, 35)
    torch.testing.assert_close(program.module()(x), high_pass(x, alpha), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: high_pass(torch.zeros(4, 4), 1.5), r"alpha .* \[0, 1\], got 1.5"),
        (lambda: high_pass(torch.zeros(4, 4), 0.5, "round"), "'round' is unknown.*floor, ceil"),
        (lambda: dct_matrix(4, 5), "5 rows and 4 columns"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
