"""API in 16 bits, with gradients as small and as large as numbers go, and beside torch.compile."""

import pytest
import torch
from torch import nn

from d2freq.modeling.set import perturbation


def direction(x):
    return x.float() / x.float().norm()


@pytest.mark.parametrize("norm", ["batch", "image"])
@pytest.mark.parametrize("size", [1e-44, 1e-38, 1e-25, 1e25, 1e38])
def test_float32_gradients_of_any_size_have_their_direction(size, norm):
    torch.manual_seed(0)
    feature = torch.randn(1, 4, 5, 5, requires_grad=True)
    weight = torch.randn(1, 4, 5, 5).sign() * size  # 1e-44 is 7 of the smallest float32
    noise = perturbation({"cls": (feature * weight).sum()}, {"p3": feature}, norm=norm)["p3"]
    torch.testing.assert_close(noise, direction(weight.sign()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e-6])
@pytest.mark.parametrize("within", [True, False])
def test_16_bit_gradients_agree_with_float32(dtype, scale, within):
    """At 1e-6 of the loss, float16 holds none of these gradients without a scale of its own."""
    torch.manual_seed(0)
    backbone, head = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3)
    x = torch.randn(2, 3, 12, 12)

    def noise(enabled):
        with torch.autocast("cpu", dtype=dtype, enabled=enabled):
            feature = backbone(x)
            loss = head(feature).float().square().mean() * scale
            if within:
                return perturbation({"cls": loss}, {"p3": feature})["p3"]
        return perturbation({"cls": loss}, {"p3": feature})["p3"]

    result, expected = noise(enabled=True), noise(enabled=False)
    assert result.dtype == dtype and result.isfinite().all()
    assert result.float().norm() == pytest.approx(1, abs=2e-3)
    assert (direction(result) * direction(expected)).sum() > 0.999


def test_a_head_in_float16_below_a_float32_feature_is_scaled_too():
    torch.manual_seed(0)
    feature, head = torch.randn(2, 8, 9, 9, requires_grad=True), nn.Conv2d(8, 4, 3)
    with torch.autocast("cpu", dtype=torch.float16):
        loss = head(feature).float().square().mean() * 1e-6
        noise = perturbation({"cls": loss}, {"p3": feature})["p3"]
    exact = torch.autograd.grad(head(feature).square().mean(), feature)[0]
    assert noise.dtype == torch.float32 and (noise * direction(exact)).sum() > 0.999


@pytest.mark.parametrize("size", [1.0, 200.0, 60_000.0])
def test_float16_gradients_too_large_for_the_scale_count_even_so(size):
    feature = torch.randn(1, 4, 5, 5, dtype=torch.float16, requires_grad=True)
    weight = torch.randn(1, 4, 5, 5).sign()
    loss = (feature * (weight * size).half()).float().sum()
    noise = perturbation({"cls": loss}, {"p3": feature})["p3"]
    torch.testing.assert_close(noise.float(), direction(weight), atol=1e-3, rtol=1e-3)


def test_float16_gradients_that_fit_between_are_scaled_less():
    """2 at the loss and 2e-7 at the feature: 2^16 is too much, 1 leaves the latter 4 steps."""
    torch.manual_seed(0)
    feature = torch.randn(1, 4, 5, 5, dtype=torch.float16, requires_grad=True)
    weight = (torch.randn(1, 4, 5, 5) * 2**-11).half()
    loss = 2 * (feature * weight * 2**-12).float().sum()
    noise = perturbation({"cls": loss}, {"p3": feature})["p3"]
    assert (direction(noise) * direction(weight)).sum() > 0.9999


@pytest.mark.parametrize("factor", [0.0, float("inf"), float("nan")])
def test_unusable_float16_gradients_give_nothing(factor):
    feature = torch.randn(1, 4, 5, 5, dtype=torch.float16, requires_grad=True)
    loss = feature.float().square().sum() * factor
    assert not perturbation({"cls": loss}, {"p3": feature})["p3"].any()


def test_a_compiled_head_gives_the_same_and_trains():
    torch.manual_seed(0)
    head = nn.Sequential(nn.Conv2d(8, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 2, 3))
    leaf = torch.randn(2, 8, 9, 9, requires_grad=True)
    torch.compiler.reset()
    found = []
    for forward in (head, torch.compile(head, backend="aot_eager")):
        feature = leaf * 2
        cls, reg = forward(feature).unbind(1)
        losses = {"cls": cls.square().mean(), "reg": reg.abs().mean()}
        noise = perturbation(losses, {"p3": feature})["p3"]
        gradient = torch.autograd.grad(sum(losses.values()), (leaf, *head.parameters()))
        found.append((noise, *gradient))
    for eager, compiled in zip(*found, strict=True):
        torch.testing.assert_close(compiled, eager)
