"""SDP against the paper's formulas written as plain loops in float64."""

import numpy as np
import pytest
import torch

from d2freq.modeling.hs_fpn import SpatialDependencyPerception


def build(channels=32, **switches):
    module = SpatialDependencyPerception(channels, **switches)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


def reference(module, x, above, grid):
    """HS-FPN, Sec. 3.2, for one image: upsample, project, cut windows, attend, put back, add."""
    weights = {name: value.double().numpy() for name, value in module.state_dict().items()}
    x, above = x.double().numpy(), above.double().numpy()
    channels, height, width = x.shape
    upsampled = np.zeros_like(x)
    for i in range(height):
        for j in range(width):
            upsampled[:, i, j] = above[:, i // 2, j // 2]

    def project(source, name):
        out = np.einsum("oc,chw->ohw", weights[f"{name}.conv.weight"][:, :, 0, 0], source)
        block = getattr(module, name)
        if hasattr(block, "relu"):
            out = np.maximum(out, 0)
        if hasattr(block, "norm"):
            groups = out.reshape(32, -1)
            mean, variance = groups.mean(1, keepdims=True), groups.var(1, keepdims=True)
            out = ((groups - mean) / np.sqrt(variance + 1e-5)).reshape(out.shape)
            out = out * weights[f"{name}.norm.weight"][:, None, None]
            out = out + weights[f"{name}.norm.bias"][:, None, None]
        return out

    query, key = project(x, "query"), project(upsampled, "key")
    value = key if module.value is None else project(upsampled, "value")
    rows, columns = height // grid, width // grid
    out = x.copy()
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            place = (slice(None), slice(top, top + rows), slice(left, left + columns))
            q, k, v = (part[place].reshape(channels, -1).T for part in (query, key, value))
            scores = q @ k.T / np.sqrt(channels)
            attention = np.exp(scores - scores.max(1, keepdims=True))
            attention /= attention.sum(1, keepdims=True)
            out[place] += (attention @ v).T.reshape(channels, rows, columns)
    return out


SIZES = [  # level, windows per side: even, odd, mixed and single-pixel windows
    ((8, 8), 2),
    ((6, 10), 2),
    ((12, 8), 4),
    ((8, 24), 8),
    ((2, 4), 2),
]


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("size, grid", SIZES)
@pytest.mark.parametrize(
    "switches", [{}, {"separate_value": True, "relu": False}, {"norm": "", "relu": False}]
)
def test_equals_the_formulas(switches, size, grid, dtype, tolerance):
    module = build(**switches).to(dtype)
    scale = 0.2 if switches.get("norm") == "" else 1.0  # unnormed scores would be one-hot
    x = scale * torch.randn(2, 32, *size, dtype=dtype)
    above = scale * torch.randn(2, 32, size[0] // 2, size[1] // 2, dtype=dtype)
    result = module(x, above, grid).detach()
    for image in range(2):
        expected = reference(module, x[image], above[image], grid)
        np.testing.assert_allclose(result[image].numpy(), expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("size, grid", SIZES[:3])
def test_gradients_equal_those_with_a_score_matrix(size, grid):
    module = build().double()
    x = torch.randn(1, 32, *size, dtype=torch.float64, requires_grad=True)
    above = torch.randn(1, 32, size[0] // 2, size[1] // 2, dtype=torch.float64, requires_grad=True)
    inputs = [x, above, *module.parameters()]
    incoming = torch.randn_like(x)
    ours = torch.autograd.grad(module(x, above, grid), inputs, incoming)
    theirs = torch.autograd.grad(attend_densely(module, x, above, grid), inputs, incoming)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def attend_densely(module, x, above, grid):
    upsampled = above.repeat_interleave(2, 2).repeat_interleave(2, 3)
    window = (x.shape[2] // grid, x.shape[3] // grid)

    def cut(part):
        part = part.unflatten(3, (grid, window[1])).unflatten(2, (grid, window[0]))
        return part.permute(0, 2, 4, 3, 5, 1).flatten(3, 4)

    q, k = cut(module.query(x)), cut(module.key(upsampled))
    out = (q @ k.mT / x.shape[1] ** 0.5).softmax(-1) @ k
    out = out.unflatten(3, window).permute(0, 5, 1, 3, 2, 4)
    return x + out.reshape(x.shape)


@pytest.mark.parametrize("size", [(16, 16), (20, 12)])
def test_bfloat16_autocast_stays_close(size):
    module = build()
    x, above = torch.randn(1, 32, *size), torch.randn(1, 32, size[0] // 2, size[1] // 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = module(x, above, 4)
    assert (result - module(x, above, 4)).abs().max() < 0.1


def test_channels_last_is_kept():
    module = build()
    x, above = torch.randn(2, 32, 12, 20), torch.randn(2, 32, 6, 10)
    result = module(
        x.contiguous(memory_format=torch.channels_last),
        above.contiguous(memory_format=torch.channels_last),
        4,
    )
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(result, module(x, above, 4))


def test_no_score_matrix_is_kept_for_backward():
    module = build()
    for side in (64, 60):  # windows of 16 and of 15
        x = torch.randn(1, 32, side, side, requires_grad=True)
        above = torch.randn(1, 32, side // 2, side // 2, requires_grad=True)
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, kept=kept: kept.append(t) or t, lambda t: t
        ):
            module(x, above, 4)
        assert max(tensor.numel() for tensor in kept) <= x.numel()


@pytest.mark.parametrize("above, grid", [((4, 5), 2), ((4, 4), 3), ((4, 4), 6)])
def test_sizes_that_do_not_fit_are_named(above, grid):
    with pytest.raises(ValueError, match=rf"\(8, 8\).*with {grid} windows.*even number"):
        build()(torch.zeros(1, 32, 8, 8), torch.zeros(1, 32, *above), grid)
