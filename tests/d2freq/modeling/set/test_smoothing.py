"""HBS against SET's Eqs. 1 to 4 written out, its sizes, and its edges."""

import numpy as np
import pytest
import scipy.signal
import torch
import torch.nn.functional as F

from d2freq.modeling.set import BackgroundSmoothing, SmoothingBlock, kernel_size

P3_TO_P7 = {f"p{i}": 2**i for i in range(3, 8)}
P2_TO_P6 = {f"p{i}": 2**i for i in range(2, 7)}


def build(strides, channels=8, **options):
    torch.manual_seed(0)
    return BackgroundSmoothing(
        channels=dict.fromkeys(strides, channels), strides=strides, **options
    )


def random_inputs(seed, strides, channels=8, batch=2):
    """Features, boxes and a padded size that no stride has to divide."""
    random = torch.Generator().manual_seed(seed)
    height, width = torch.randint(20, 70, (2,), generator=random).tolist()
    features, boxes = {}, []
    for name, stride in strides.items():
        size = -(-height // stride), -(-width // stride)
        features[name] = torch.randn(batch, channels, *size, generator=random)
    for _ in range(batch):
        count = int(torch.randint(0, 4, (1,), generator=random))
        corner = torch.rand(count, 2, generator=random) * 60 - 5
        sides = torch.rand(count, 2, generator=random) * 25
        boxes.append(torch.cat((corner, corner + sides), dim=1))
    return features, boxes, (height, width)


def reference(module, features, boxes, padded, *, output_relu, remask, region):
    """SET, Eqs. 1 to 3, in float64, one image and one output channel at a time."""
    weights = {name: value.double().numpy() for name, value in module.state_dict().items()}
    enhanced = {}
    for name, feature in features.items():
        mask = np.zeros((len(feature), *padded))
        for image, drawn in zip(mask, boxes, strict=True):
            for x1, y1, x2, y2 in drawn.int().clamp(min=0).tolist():
                image[y1:y2, x1:x2] = 1
        mask = F.interpolate(torch.tensor(mask[:, None]).float(), size=feature.shape[2:])
        if region == "all":
            mask = torch.zeros_like(mask)
        images = []
        for p, m in zip(feature.double().numpy(), mask.double().numpy(), strict=True):
            background = p * (1 - m)
            inner = np.maximum(convolve(background, weights, f"{name}.reduce"), 0)
            change = convolve(inner, weights, f"{name}.expand")
            phi = (np.maximum(change, 0) if output_relu else change) + background
            images.append(p * m + (phi * (1 - m) if remask else phi))
        enhanced[name] = np.stack(images)
    return enhanced


def convolve(x, weights, name):
    kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    side = kernel.shape[-1] // 2
    x = np.pad(x, ((0, 0), (side, side), (side, side)))
    return np.concatenate(
        [
            scipy.signal.correlate(x, k, "valid", "direct") + b
            for k, b in zip(kernel, bias, strict=True)
        ]
    )


@pytest.mark.parametrize("output_relu", [False, True])
@pytest.mark.parametrize(
    "remask, region", [(True, "background"), (False, "background"), (True, "all")]
)
def test_equals_the_equations_in_random_cases(output_relu, remask, region):
    options = {"output_relu": output_relu, "remask": remask, "region": region}
    strides = {"p2": 4, "p3": 8, "p4": 16}
    module = build(strides, **options)
    for seed in range(15):
        inputs = random_inputs(seed, strides)
        result = module(*inputs)
        expected = reference(module, *inputs, **options)
        assert list(result) == list(strides)
        for name, values in result.items():
            np.testing.assert_allclose(values.detach().numpy(), expected[name], atol=1e-6, rtol=0)


def test_kernels_follow_the_stride():
    sides = [kernel_size(2**i) for i in range(8)]
    assert sides == [1, 1, 3, 3, 5, 5, 7, 7]  # SET, Eq. 4
    with pytest.raises(ValueError, match="stride 0"):
        kernel_size(0)


@pytest.mark.parametrize(
    "stride, expected",
    [(4, 295_232), (8, 295_232), (16, 819_520), (32, 819_520), (64, 1_605_952), (128, 1_605_952)],
)
def test_a_block_has_two_convolutions_and_their_biases(stride, expected):
    block = SmoothingBlock(256, kernel=kernel_size(stride))
    assert sum(weight.numel() for weight in block.parameters()) == expected
    assert expected == 2 * 256 * 64 * kernel_size(stride) ** 2 + 320


@pytest.mark.parametrize(
    "strides, options, expected",
    [
        (P3_TO_P7, {}, 5_146_176),
        (P2_TO_P6, {}, 3_835_456),
        (P3_TO_P7, {"kernel": 3, "reduction": 16}, 370_000),  # SET, Table 5: + 0.37 M
        (P3_TO_P7, {"kernel": [1, 3, 3, 5, 5]}, 32_768 * (1 + 9 + 9 + 25 + 25) + 5 * 320),
    ],
)
def test_parameters_of_five_blocks(strides, options, expected):
    module = build(strides, channels=256, **options)
    assert sum(weight.numel() for weight in module.parameters()) == expected


def test_state_has_the_names_of_levels():
    expected = {f"p3.{name}.{kind}" for name in ("reduce", "expand") for kind in ("weight", "bias")}
    assert set(build({"p3": 8}).state_dict()) == expected


@pytest.mark.parametrize("mask", ["nearest", "any"])
def test_objects_stay_bit_by_bit_and_know_nothing_of_the_background(mask):
    module = build(P2_TO_P6, mask=mask)
    box = torch.tensor([[16.0, 16, 64, 96]])
    features = {
        name: torch.randn(1, 8, 128 // stride, 128 // stride) for name, stride in P2_TO_P6.items()
    }
    result = module(features, [box], (128, 128))
    for name, stride in P2_TO_P6.items():
        first, right, below = -(-16 // stride), 64 // stride, 96 // stride
        inside = (slice(None), slice(None), slice(first, below), slice(first, right))
        assert torch.equal(result[name][inside], features[name][inside])
        changed = result[name] != features[name]
        assert changed.any()
        # Other numbers inside the object change nothing outside.
        other = {**features, name: features[name].clone()}
        other[name][inside] = torch.inf
        again = module(other, [box], (128, 128))[name]
        assert torch.equal(again[changed], result[name][changed])
