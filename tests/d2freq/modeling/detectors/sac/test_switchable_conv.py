"""The switchable convolution, against the paper's formula written out and the plain convolution."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from detectron2.layers import Conv2d
from torch import nn
from torchvision.ops import deform_conv2d

from d2freq.errors import UserError
from d2freq.modeling.detectors.sac.switchable_conv import make_switchable


def plain(channels=4, **options):
    return Conv2d(channels, channels, 3, padding=1, bias=False, **options)


def disturbed(**options):
    """One whose every part has an effect."""
    stride = options.pop("stride", 1)
    layer = make_switchable(plain(stride=stride), **options).double()
    for name, parameter in layer.named_parameters():
        if name != "weight":
            nn.init.normal_(parameter, std=0.3)
    return layer


@pytest.mark.parametrize("deform", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_formula_written_out(stride, deform):
    layer, x = disturbed(stride=stride, deform=deform), torch.randn(2, 4, 7, 6).double()
    part = dict(layer.named_parameters())

    def context(name, y):
        mean = y.flatten(2).mean(2)
        return (
            y
            + (mean @ part[f"{name}.weight"][:, :, 0, 0].T + part[f"{name}.bias"])[..., None, None]
        )

    y = context("pre_context", x)
    rows, columns = ([*range(2, 0, -1), *range(n), n - 2, n - 3] for n in (7, 6))  # mirrored
    padded = y[:, :, rows][..., columns]
    around = torch.stack([padded[..., i : i + 7, j : j + 6] for i in range(5) for j in range(5)])
    around = around.mean(0)
    switch = F.conv2d(around, part["switch.weight"], part["switch.bias"], stride)
    total = 0
    for name, weight, share, reach in (
        ("offset_s", layer.effective_weight(), switch, 1),
        ("offset_l", layer.effective_weight() + part["weight_diff"], 1 - switch, 3),
    ):
        how = dict(stride=stride, padding=reach, dilation=reach)
        if deform:
            learned = part[f"{name}.weight"], part[f"{name}.bias"]
            offset = F.conv2d(around, *learned, stride=stride, padding=1)
            seen = deform_conv2d(y, offset, weight, **how)
        else:
            seen = F.conv2d(y, weight, **how)
        total = total + share * seen
    assert torch.allclose(layer(x), context("post_context", total), atol=1e-8)


@pytest.mark.parametrize("stride", [1, 2])
def test_it_begins_as_the_plain_convolution(stride):
    layer, x = plain(8, stride=stride, norm=nn.BatchNorm2d(8)), torch.randn(2, 8, 13, 16)
    with torch.no_grad():
        wanted = layer(x)
        found = make_switchable(layer)(x)
    assert (found - wanted).abs().max() <= 3e-6 * wanted.abs().max()


@pytest.mark.parametrize(("channels", "more"), [(128, 222_117), (256, 804_645), (512, 3_051_045)])
def test_how_many_parameters_it_adds(channels, more):
    """Counted on the published layer."""
    with torch.device("meta"):
        layer = make_switchable(plain(channels))
    assert sum(p.numel() for p in layer.parameters()) == 9 * channels**2 + more


def test_without_standardisation_a_weight_is_used_as_it_is():
    layer = make_switchable(plain(), standardized=False)
    nn.init.normal_(layer.weight, mean=2.0)
    assert layer.effective_weight() is layer.weight
    assert not any("gamma" in name for name in layer.state_dict())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_places_stay_exact(dtype):
    layer, x = make_switchable(plain(8)), torch.randn(1, 8, 9, 9)
    nn.init.constant_(layer.offset_s.bias, 0.37)
    with torch.no_grad():
        wanted = layer(x)
        with torch.autocast("cpu", dtype):
            found = layer(x)
    assert (found - wanted).abs().max() < 0.02 * wanted.abs().max()


@pytest.mark.parametrize("size", [(2, 9), (9, 1)])
def test_a_map_too_small_to_mirror_is_refused(size):
    layer = make_switchable(plain())
    assert layer(torch.randn(1, 4, 3, 3)).shape[-2:] == (3, 3)
    with pytest.raises(UserError, match=rf"map of {size[0]} x {size[1]} cells.*MIN_SIZE_TEST"):
        layer(torch.randn(1, 4, *size))


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (Conv2d(4, 4, 1, bias=False), "3 x 3 convolution without bias.*DEFORM_ON_PER_STAGE"),
        (Conv2d(4, 4, 3), "3 x 3 convolution without bias"),
        (nn.ReLU(), "not of ReLU"),
        (plain(groups=2), "NUM_GROUPS.*DEFORM False"),
    ],
)
def test_other_layers_are_refused(layer, said):
    with pytest.raises(UserError, match=said):
        make_switchable(layer)


def test_groups_without_deformation():
    layer, x = plain(groups=2), torch.randn(1, 4, 6, 6)
    wanted = layer(x)
    assert torch.allclose(make_switchable(layer, deform=False)(x), wanted, atol=1e-6)


def test_it_is_the_same_in_onnx_runtime(tmp_path):
    """On a map of a size that was not traced; the deformable convolutions become samplings."""
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    layer, path = disturbed(stride=2).float(), str(tmp_path / "layer.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter that records a trace
        torch.onnx.export(
            layer,
            (torch.randn(1, 4, 6, 8),),
            path,
            input_names=["x"],
            dynamic_axes={"x": {2: "height", 3: "width"}},
            opset_version=17,
            dynamo=False,
        )
    x = torch.randn(1, 4, 11, 5)
    (found,) = runtime.InferenceSession(path).run(None, {"x": x.numpy()})
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(found), layer(x), rtol=1e-4, atol=1e-4)
