"""HFP against the paper's formulas written as plain loops in float64."""

import math

import numpy as np
import pytest
import scipy.fft
import torch

from d2freq.modeling.hs_fpn import ChannelPath, HighFrequencyPerception, SpatialPath

PAPER = {"fusion": "concat", "bias": True, "relu": False, "pool_reduce": "sum"}
RELEASED = {"fusion": "sum", "bias": False, "relu": True, "pool_reduce": "sum"}


def build(*, path=PAPER, mode="conv", pool_size=4, alpha=0.25, channels=8, groups=4, **rest):
    module = HighFrequencyPerception(
        channels,
        alpha=alpha,
        channel_path=path and ChannelPath(channels, pool_size=pool_size, groups=groups, **path),
        spatial_path=mode and SpatialPath(channels, mode=mode, relu=bool(path and path["relu"])),
        **rest,
    )
    for parameter in module.parameters():  # biases too, or they would not be tested
        torch.nn.init.normal_(parameter, std=0.2)
    return module


def reference(module, x):
    """HS-FPN, Sec. 3.1, for one image (C, H, W), one number at a time."""
    weights = {name: value.double().numpy() for name, value in module.state_dict().items()}
    x = x.double().numpy()
    channels, height, width = x.shape

    spectrum = scipy.fft.dctn(x, axes=(1, 2), norm="ortho")
    for u in range(height):
        for v in range(width):
            if u < int(module.alpha * height) and v < int(module.alpha * width):
                spectrum[:, u, v] = 0
    response = scipy.fft.idctn(spectrum, axes=(1, 2), norm="ortho")

    out = np.zeros_like(x)
    if module.channel_path is not None:
        out += x * channel_gate(module.channel_path, weights, response)[:, None, None]
    if module.spatial_path is not None:
        if module.spatial_path.conv is None:
            out += x * response
        else:
            scores = np.einsum(
                "c,chw->hw", weights["spatial_path.conv.weight"][0, :, 0, 0], response
            )
            out += x * sigmoid(np.maximum(scores, 0) if module.spatial_path.relu else scores)
    return convolve(out, weights["tail.conv.weight"], weights.get("tail.conv.bias"))


def channel_gate(path, weights, response):
    channels, height, width = response.shape
    k = path.pool_size
    sums = {"average": np.zeros(channels), "maximum": np.zeros(channels)}
    for c in range(channels):
        for i in range(k):
            for j in range(k):
                top, bottom = math.floor(i * height / k), math.ceil((i + 1) * height / k)
                left, right = math.floor(j * width / k), math.ceil((j + 1) * width / k)
                cell = response[c, top:bottom, left:right]
                sums["average"][c] += max(cell.mean(), 0)
                sums["maximum"][c] += max(cell.max(), 0)

    def grouped(vector, name):
        weight, bias = (
            weights[f"channel_path.{name}.weight"],
            weights.get(f"channel_path.{name}.bias"),
        )
        outputs, inputs = weight.shape[:2]
        per_group = outputs // path.score.groups
        result = np.zeros(outputs) if bias is None else bias.copy()
        for o in range(outputs):
            for i in range(inputs):
                result[o] += weight[o, i, 0, 0] * vector[o // per_group * inputs + i]
        return np.maximum(result, 0) if path.relu else result

    divisor = k * k if path.pool_reduce == "mean" else 1
    average = grouped(sums["average"] / divisor, "score")
    maximum = grouped(sums["maximum"] / divisor, "score")
    if path.fusion == "sum":
        scores = average + maximum
    elif path.fusion == "concat":
        scores = np.concatenate([average, maximum])
    else:
        scores = np.array([value for pair in zip(average, maximum, strict=True) for value in pair])
    return sigmoid(grouped(scores, "fuse"))


def convolve(x, weight, bias):
    channels, height, width = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    out = np.zeros((len(weight), height, width))
    for i in range(height):
        for j in range(width):
            patch = padded[:, i : i + 3, j : j + 3]
            out[:, i, j] = np.tensordot(weight, patch, axes=3) + (0 if bias is None else bias)
    return out


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


CASES = {
    "paper": {},
    "released fine": {"path": RELEASED, "mode": "raw", "tail_bias": True},
    "released coarse": {"path": RELEASED, "pool_size": 1, "alpha": 0.0, "tail_bias": True},
    "interleave, mean": {"path": PAPER | {"fusion": "interleave", "pool_reduce": "mean"}},
    "channel path alone": {"mode": None},
    "spatial path alone": {"path": None},
    "pool larger than the map": {"pool_size": 16},
}


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_formulas(case, dtype, tolerance):
    module = build(**CASES[case]).to(dtype)
    for size in [(8, 8), (9, 14), (1, 5)]:
        x = torch.randn(2, 8, *size, dtype=dtype)
        result = module(x).detach()
        for image, output in zip(x, result, strict=True):
            expected = reference(module, image)
            scale = max(1.0, np.abs(expected).max())
            np.testing.assert_allclose(
                output.numpy() / scale, expected / scale, atol=tolerance, rtol=0
            )


def test_tail_is_convolution_then_relu_then_norm():
    torch.manual_seed(1)
    plain = build(channels=32, groups=32, tail_bias=True)
    full = build(channels=32, groups=32, tail_bias=True, tail_relu=True, tail_norm="GN")
    full.load_state_dict(plain.state_dict(), strict=False)
    full.tail.norm.reset_parameters()
    x = torch.randn(2, 32, 8, 8)
    expected = torch.nn.functional.group_norm(plain(x).relu(), 32)
    torch.testing.assert_close(full(x), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (13, 25), (3, 64)])
def test_gradients_reach_everything_at_any_size(size):
    module = build().double()
    x = torch.randn(1, 8, *size, dtype=torch.float64, requires_grad=True)
    module(x).square().sum().backward()
    assert x.grad.isfinite().all()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_gradient_equals_finite_differences():
    module = build(path=PAPER | {"pool_reduce": "mean"}, alpha=0.5).double()
    x = torch.randn(1, 8, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, x)


def test_bfloat16_autocast_stays_close_and_gates_stay_float32():
    module = build(channels=32, groups=32, pool_size=16)
    x = torch.randn(2, 32, 40, 40)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = module(x)
        assert module.channel_path(x.bfloat16()).dtype == torch.float32
    assert result.dtype == torch.bfloat16
    expected = module(x)
    assert (result - expected).abs().max() < 0.03 * expected.abs().max()


def test_channels_last_is_kept():
    module = build().to(memory_format=torch.channels_last)
    x = torch.randn(2, 8, 12, 10)
    result = module(x.contiguous(memory_format=torch.channels_last))
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(result, module(x))


def test_without_both_paths_there_is_no_module():
    with pytest.raises(ValueError, match="channel path or a spatial path"):
        HighFrequencyPerception(8)
