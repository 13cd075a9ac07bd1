"""The neck as it is trained and served: channels_last, half precision, torch.compile."""

import shutil

import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.modeling import Backbone
from torch import nn

from d2freq.errors import UserError
from d2freq.modeling.hs_fpn import HSFPN
from d2freq.modeling.hs_fpn.high_frequency import VectorConv
from d2freq.modeling.hs_fpn.spatial_dependency import SpatialDependencyPerception

PRESETS = ["paper", "released", "d2freq"]
NO_COMPILER = "inductor needs a C++ compiler, and there is no g++ here"


class Given(Backbone):
    """Hands on the maps that it gets."""

    strides = {"res2": 4, "res3": 8, "res4": 16, "res5": 32}

    def output_shape(self):
        return {name: ShapeSpec(channels=32, stride=s) for name, s in self.strides.items()}

    def forward(self, maps):
        return maps


def neck(preset="paper", **switches):
    torch.manual_seed(0)
    return HSFPN(Given(), list(Given.strides), 32, preset=preset, **switches)


def maps(height=96, width=160, memory_format=torch.contiguous_format):
    """Maps of two images of that size."""
    torch.manual_seed(1)
    made = {k: torch.randn(2, 32, height // s, width // s) for k, s in Given.strides.items()}
    return {k: v.contiguous(memory_format=memory_format) for k, v in made.items()}


def step(module, x, *, run=None, dtype=None):
    """Levels, and the gradients of parameters and maps, of one training step."""
    module.zero_grad()
    x = {name: value.detach().requires_grad_() for name, value in x.items()}
    with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
        levels = (module if run is None else run)(x)
    sum(level.float().square().mean() for level in levels.values()).backward()
    gradients = {name: parameter.grad.clone() for name, parameter in module.named_parameters()}
    return levels, gradients | {name: value.grad for name, value in x.items()}


def assert_same(found, expected, **tolerance):
    for ours, theirs in zip(found, expected, strict=True):
        for name in theirs:
            torch.testing.assert_close(ours[name], theirs[name], **tolerance, msg=name)


@pytest.mark.parametrize("preset", PRESETS)
def test_channels_last_stays_so_and_changes_nothing(preset):
    module = neck(preset)
    expected = step(module, maps())
    module.to(memory_format=torch.channels_last)
    found = step(module, maps(memory_format=torch.channels_last))
    assert all(v.is_contiguous(memory_format=torch.channels_last) for v in found[0].values())
    assert_same(found, expected, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------------- half precision


# bfloat16 rounds to 2^-9, float16 to 2^-12 (small gradients more), over a dozen layers
@pytest.mark.parametrize(("dtype", "error"), [(torch.bfloat16, 0.03), (torch.float16, 0.006)])
@pytest.mark.parametrize("preset", PRESETS)
def test_autocast_trains_as_float32_does(preset, dtype, error):
    module, x = neck(preset), maps()
    expected, found = step(module, x), step(module, x, dtype=dtype)
    for name, level in expected[0].items():
        assert (found[0][name].float() - level).norm() < error * level.norm(), name
    for name, gradient in expected[1].items():
        ours = found[1][name]
        assert ours.dtype == torch.float32
        assert (ours - gradient).norm() < 8 * error * gradient.norm() + 1e-6, name


@pytest.mark.parametrize("preset", PRESETS)
def test_float32_is_kept_where_sums_are_large_and_nowhere_else(preset):
    module, seen = neck(preset), {}

    def watch(name):
        return lambda _, inputs, output: seen.update({name: output.dtype})

    for name, part in module.named_modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(watch(name))
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        levels = module(maps())
    for name, part in module.named_modules():
        if name in seen:
            wanted = torch.float32 if isinstance(part, VectorConv) else torch.bfloat16
            assert seen[name] == wanted, name
    assert {level.dtype for level in levels.values()} == {torch.bfloat16}


# ---------------------------------------------------------------------------- torch.compile


@pytest.fixture
def compiled():
    """torch.compile without a graph break, with nothing left of other tests' graphs."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield lambda module, **options: torch.compile(module, fullgraph=True, **options)
    torch._dynamo.reset()


@pytest.mark.parametrize(("preset", "dtype"), [("paper", None), ("released", torch.bfloat16)])
def test_compiled_step_is_one_graph_and_equal(preset, dtype, compiled):
    module, x = neck(preset), maps()
    run = compiled(module, backend="aot_eager", dynamic=False)
    expected, found = step(module, x, dtype=dtype), step(module, x, run=run, dtype=dtype)
    # autograd adds gradients of one map in another order, which half precision shows
    assert_same(found, expected, rtol=1e-4, atol=1e-5 if dtype is None else 1e-2)


@pytest.mark.parametrize("preset", PRESETS)
def test_one_graph_of_hfp_serves_every_size(preset, compiled):
    hfp = neck(preset).get_submodule("fpn_hfp2")
    run = compiled(hfp, backend="eager", dynamic=True)
    for size in [(24, 40), (17, 33), (100, 64)]:
        x = torch.randn(2, 32, *size, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(run(x), hfp(x), rtol=1e-4, atol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_sdp_takes_one_graph_for_each_kind_of_window(compiled):
    sdp = SpatialDependencyPerception(32)
    run = compiled(sdp, backend="eager", dynamic=True)
    for side in (12, 20, 16, 24):  # windows of odd, then of even size
        x, above = torch.randn(1, 32, side, side), torch.randn(1, 32, side // 2, side // 2)
        torch.testing.assert_close(run(x, above, 4), sdp(x, above, 4), rtol=1e-4, atol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 2


@pytest.mark.slow  # a minute: C++ of the whole neck, forward and backward, is compiled
@pytest.mark.skipif(shutil.which("g++") is None, reason=NO_COMPILER)
def test_inductor_agrees(compiled):
    module, x = neck(), maps()
    found = step(module, x, run=compiled(module, dynamic=False))
    assert_same(found, step(module, x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("preset", PRESETS)
def test_activation_checkpointing_keeps_less_and_gives_the_same(preset):
    usual, sparing = neck(preset), neck(preset, use_act_checkpoint=True)
    assert_same(step(sparing, maps()), step(usual, maps()), rtol=0, atol=0)

    def kept(module):
        sizes = {}

        def pack(tensor):
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            levels = module({name: value.requires_grad_() for name, value in maps().items()})
        return sum(sizes.values()), levels

    (all_of_it, _levels), (some, _sparing_levels) = kept(usual), kept(sparing)
    assert some < 0.6 * all_of_it


def test_activation_checkpointing_recomputes_in_training_alone():
    module = neck(use_act_checkpoint=True)
    calls = []
    for name, part in module.named_children():
        part.register_forward_pre_hook(lambda *_, name=name: calls.append(name))
    step(module, maps())
    assert calls.count("fpn_hfp2") == calls.count("fpn_sdp2") == 2
    assert calls.count("fpn_lateral2") == 1
    calls.clear()
    module.eval()(maps())
    assert calls.count("fpn_hfp2") == 1


def test_activation_checkpointing_refuses_batch_norm():
    with pytest.raises(UserError, match="use_act_checkpoint.*BN"):
        neck(tail_norm="BN", use_act_checkpoint=True)
