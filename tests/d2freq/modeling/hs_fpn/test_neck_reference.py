"""The whole neck against the paper's formulas, written once more with numpy and scipy in float64.

The reference follows HS-FPN Sec. 3 step by step (upsampling before the keys, a mask in the
spectrum, one score matrix a window) and takes nothing but weights from the module.
"""

import math

import numpy as np
import pytest
import scipy.fft
import torch
import torch.nn.functional as F
from detectron2.layers import ShapeSpec
from detectron2.modeling import Backbone
from detectron2.modeling.backbone.fpn import LastLevelMaxPool

from d2freq.modeling.hs_fpn import HSFPN

STRIDES = {"res2": 4, "res3": 8, "res4": 16, "res5": 32}
CHANNELS, GROUPS, EPSILON = 64, 32, 1e-5
STAGES = (5, 4, 3, 2)
PRESETS = {
    "paper": {"cells": {2: 16, 3: 16, 4: 16, 5: 16}, "raw": (), "concat": True, "relu": False},
    "released": {"cells": {2: 16, 3: 8, 4: 1, 5: 1}, "raw": (2, 3), "concat": False, "relu": True},
}
FILTERED = {2: 0.25, 3: 0.25}  # part of the band removed; P4 and P5 are not filtered
SIZES = [(32, 32), (64, 96), (96, 160), (224, 32)]  # windows of 1 x 1, 2 x 3, 3 x 5, 7 x 1


class Pyramid(Backbone):
    """Four maps by pooling."""

    def __init__(self):
        super().__init__()
        self._out_features = list(STRIDES)
        self._out_feature_strides = STRIDES
        self._out_feature_channels = dict.fromkeys(STRIDES, 6)

    def output_shape(self):
        return {name: ShapeSpec(channels=6, stride=stride) for name, stride in STRIDES.items()}

    def forward(self, x):
        return {name: F.avg_pool2d(x, stride) * stride for name, stride in STRIDES.items()}


def neck(**arguments):
    torch.manual_seed(3)
    module = HSFPN(
        Pyramid(), list(STRIDES), CHANNELS, top_block=LastLevelMaxPool(), **arguments
    ).double()
    for name, parameter in module.named_parameters():  # biases and norms too
        spread = 0.03 if "channel_path" in name else 0.2  # a saturated gate would hide its input
        torch.nn.init.normal_(parameter, mean=float("norm.weight" in name), std=spread)
    return module


def image(height, width):
    generator = torch.Generator().manual_seed(height + width)
    return torch.randn(2, 6, height, width, dtype=torch.float64, generator=generator)


# ---------------------------------------------------------------------------- the formulas


def reference(module, image, preset, top_down, filtered=FILTERED, rounding=math.floor):
    """The pyramid of one image (6, H, W)."""
    choice = PRESETS[preset]
    weights = {name: value.numpy() for name, value in module.state_dict().items()}
    maps = {stage: map_of(image, 2**stage) for stage in STAGES}
    for stage in STAGES:
        lateral = convolve(maps[stage], weights, f"fpn_lateral{stage}")
        response = lateral
        if stage in filtered:
            response = high_pass(lateral, filtered[stage], rounding)
        maps[stage] = perceive(lateral, response, weights, stage, choice)
    window = maps[5].shape[1:]

    if top_down == "two_pass":
        for stage in (4, 3, 2):
            maps[stage] = depend(maps[stage], maps[stage + 1], weights, stage, window)
        for stage in (4, 3, 2):
            maps[stage] = maps[stage] + double(maps[stage + 1])
    else:
        for stage in (4, 3, 2):
            above = maps[stage + 1]
            maps[stage] = depend(maps[stage], above, weights, stage, window) + double(above)
    levels = {f"p{stage}": convolve(maps[stage], weights, f"fpn_output{stage}") for stage in STAGES}
    return levels | {"p6": levels["p5"][:, ::2, ::2]}


def map_of(image, stride):
    channels, height, width = image.shape
    tiles = image.reshape(channels, height // stride, stride, width // stride, stride)
    return tiles.mean((2, 4)) * stride


def high_pass(x, alpha, rounding):
    spectrum = scipy.fft.dctn(x, axes=(1, 2), norm="ortho")
    spectrum[:, : rounding(alpha * x.shape[1]), : rounding(alpha * x.shape[2])] = 0
    return scipy.fft.idctn(spectrum, axes=(1, 2), norm="ortho")


def perceive(x, response, weights, stage, choice):
    """HFP: both paths, their sum, the 3x3 convolution."""
    name, relu = f"fpn_hfp{stage}", choice["relu"]
    sums = [np.zeros(CHANNELS), np.zeros(CHANNELS)]
    for rows in cells(x.shape[1], choice["cells"][stage]):
        for columns in cells(x.shape[2], choice["cells"][stage]):
            cell = response[:, rows, columns]
            sums[0] += np.maximum(cell.mean((1, 2)), 0)
            sums[1] += np.maximum(cell.max((1, 2)), 0)
    scores = [grouped(total, weights, f"{name}.channel_path.score", relu) for total in sums]
    scores = np.concatenate(scores) if choice["concat"] else scores[0] + scores[1]
    gate = sigmoid(grouped(scores, weights, f"{name}.channel_path.fuse", relu))
    out = x * gate[:, None, None]
    if stage in choice["raw"]:
        out = out + x * response
    else:
        score = convolve(response, weights, f"{name}.spatial_path.conv")
        out = out + x * sigmoid(np.maximum(score, 0) if relu else score)
    out = convolve(out, weights, f"{name}.tail.conv")
    return norm(np.maximum(out, 0), weights, f"{name}.tail.norm") if relu else out


def depend(low, high, weights, stage, window):
    """SDP: the window of the level attends to the same window of the upsampled level above."""
    name = f"fpn_sdp{stage}"

    def project(source, kind):
        out = np.maximum(convolve(source, weights, f"{name}.{kind}.conv"), 0)
        return norm(out, weights, f"{name}.{kind}.norm")

    query, key = project(low, "query"), project(double(high), "key")
    out = low.copy()
    for top in range(0, low.shape[1], window[0]):
        for left in range(0, low.shape[2], window[1]):
            block = np.s_[:, top : top + window[0], left : left + window[1]]
            q, k = query[block].reshape(CHANNELS, -1), key[block].reshape(CHANNELS, -1)
            attention = np.exp(q.T @ k / math.sqrt(CHANNELS))
            attention /= attention.sum(1, keepdims=True)
            out[block] += (k @ attention.T).reshape(CHANNELS, *window)
    return out


def cells(size, number):
    return [slice(i * size // number, -(-(i + 1) * size // number)) for i in range(number)]


def grouped(vector, weights, name, relu):
    weight, bias = weights[f"{name}.weight"][:, :, 0, 0], weights.get(f"{name}.bias", 0)
    each, inputs = len(weight) // GROUPS, weight.shape[1]
    out = [row @ vector[o // each * inputs :][:inputs] for o, row in enumerate(weight)]
    out = np.array(out) + bias
    return np.maximum(out, 0) if relu else out


def convolve(x, weights, name):
    weight, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
    (_, _, side, _), (_, height, width) = weight.shape, x.shape
    padded = np.pad(x, ((0, 0), (side // 2, side // 2), (side // 2, side // 2)))
    out = sum(
        np.tensordot(weight[:, :, i, j], padded[:, i : i + height, j : j + width], axes=1)
        for i in range(side)
        for j in range(side)
    )
    return out if bias is None else out + bias[:, None, None]


def norm(x, weights, name):
    groups = x.reshape(GROUPS, -1)
    groups = groups - groups.mean(1, keepdims=True)
    groups = groups / np.sqrt((groups**2).mean(1, keepdims=True) + EPSILON)
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return groups.reshape(x.shape) * weight[:, None, None] + bias[:, None, None]


def double(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# ---------------------------------------------------------------------------- the comparison


def assert_equals_reference(module, batch, *arguments, **choices):
    with torch.no_grad():
        result = module(batch)
    for number, single in enumerate(batch.numpy()):
        expected = reference(module, single, *arguments, **choices)
        assert result.keys() == expected.keys()
        for name, level in expected.items():
            error = np.abs(result[name][number].numpy() - level).max()
            assert error <= 1e-10 * np.abs(level).max(), name


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("top_down", ["two_pass", "one_pass"])
@pytest.mark.parametrize("preset", PRESETS)
def test_neck_equals_the_formulas(preset, top_down, size):
    module = neck(preset=preset, top_down=top_down)
    assert_equals_reference(module, image(*size), preset, top_down)


@pytest.mark.parametrize("rounding", [math.floor, math.ceil])
def test_rounding_decides_where_alpha_times_size_is_no_whole_number(rounding):
    """0.3 of P2's 16 x 24 is 4.8 x 7.2, of P3's 8 x 12 it is 2.4 x 3.6."""
    module = neck(alpha=0.3, rounding=rounding.__name__)  # preset paper
    filtered = {2: 0.3, 3: 0.3}
    assert_equals_reference(
        module, image(64, 96), "paper", "one_pass", filtered=filtered, rounding=rounding
    )


# ---------------------------------------------------------------------------- the start


@pytest.mark.parametrize("preset", PRESETS)
def test_convolutions_start_xavier_uniform_and_biases_zero(preset):
    module = HSFPN(Pyramid(), list(STRIDES), CHANNELS, preset=preset, separate_value=True)
    for name, parameter in module.named_parameters():
        if not name.startswith(("fpn_hfp", "fpn_sdp")) or ".norm." in name:
            continue
        if name.endswith(".bias"):
            assert parameter.count_nonzero() == 0, name
            continue
        outputs, inputs, side, _ = parameter.shape
        bound = math.sqrt(6 / ((inputs + outputs) * side**2))
        # Of 64 or more numbers from [-bound, bound] hardly ever none lies in its outer tenth.
        assert 0.9 * bound < parameter.abs().max() <= bound, name
        assert parameter.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.25), name
