"""HBS at any size, in any precision and layout, compiled, and given nonsense."""

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.set import BackgroundSmoothing, SmoothingBlock


def build(channels=8, **options):
    torch.manual_seed(0)
    strides = {"p3": 8, "p5": 32, "p7": 128}
    return BackgroundSmoothing(
        channels=dict.fromkeys(strides, channels), strides=strides, **options
    )


def inputs(size=(50, 70), channels=8):
    torch.manual_seed(1)
    features = {
        name: torch.randn(2, channels, -(-size[0] // stride), -(-size[1] // stride))
        for name, stride in (("p3", 8), ("p5", 32), ("p7", 128))
    }
    return features, [torch.tensor([[3.0, 3, 40, 30], [60, 8, 75, 90]]), torch.zeros(0, 4)], size


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (37, 129), (127, 5)])
@pytest.mark.parametrize("options", [{}, {"mask": "any"}, {"remask": False}, {"region": "all"}])
def test_keeps_shape_and_gives_gradients_at_any_size(size, options):
    module = build(**options)
    features, boxes, padded = inputs(size)
    features = {name: x.requires_grad_() for name, x in features.items()}
    result = module(features, boxes, padded)
    assert {name: x.shape for name, x in result.items()} == {
        name: x.shape for name, x in features.items()
    }
    sum(x.square().sum() for x in result.values()).backward()
    for tensor in (*features.values(), *module.parameters()):
        assert tensor.grad is not None and tensor.grad.isfinite().all()


def test_gradient_equals_finite_differences():
    module = BackgroundSmoothing(channels={"p3": 4}, strides={"p3": 8}).double()
    x = torch.randn(1, 4, 4, 5, dtype=torch.float64, requires_grad=True)
    box = [torch.tensor([[8.0, 8, 24, 24]])]
    assert torch.autograd.gradcheck(lambda x: module({"p3": x}, box, (32, 40))["p3"], x)


def test_a_batch_without_objects_is_smoothed_all_over():
    features, boxes, padded = inputs()
    result = build()(features, [boxes[1]] * 2, padded)
    for name, x in build(region="all")(features, boxes, padded).items():
        assert torch.equal(result[name], x)


def test_a_level_that_is_all_object_stays_and_its_block_gets_a_zero_gradient():
    module = build()
    features, _, padded = inputs()
    result = module(features, [torch.tensor([[0.0, 0, 99, 99]])] * 2, padded)
    sum(x.sum() for x in result.values()).backward()
    for name, x in result.items():
        assert torch.equal(x, features[name])
    assert all(not weight.grad.any() for weight in module.parameters())  # none would stop DDP


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("of_features", [True, False])
@pytest.mark.parametrize("remask", [True, False])
def test_autocast_keeps_the_dtype_of_the_features_and_stays_close(dtype, of_features, remask):
    module = build(remask=remask)
    features, boxes, padded = inputs()
    expected = module(features, boxes, padded)
    if of_features:
        features = {name: x.to(dtype) for name, x in features.items()}
    with torch.autocast("cpu", dtype=dtype):
        result = module(features, boxes, padded)
    for name, x in result.items():
        assert x.dtype == features[name].dtype
        assert (x - expected[name]).abs().max() < 0.03 * expected[name].abs().max()


def test_channels_last_is_kept():
    features, boxes, padded = inputs()
    module = build().to(memory_format=torch.channels_last)
    turned = {n: x.contiguous(memory_format=torch.channels_last) for n, x in features.items()}
    expected = module(features, boxes, padded)
    for name, x in module(turned, boxes, padded).items():
        assert x.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(x, expected[name])


@pytest.mark.parametrize("options", [{}, {"mask": "any", "remask": False}])
def test_compiles_into_one_graph(options):
    module = BackgroundSmoothing(channels={"p3": 8}, strides={"p3": 8}, **options)
    features, boxes, padded = inputs()
    torch.compiler.reset()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    for count in (2, 0):
        given = features, [boxes[0][:count], boxes[1]], padded
        for name, x in module(*given).items():
            torch.testing.assert_close(compiled(*given)[name], x)


def test_levels_without_a_block_come_back_as_they_are():
    features, boxes, padded = inputs()
    other = torch.randn(2, 3, 7, 7)
    result = build()({"p2": other, **features}, boxes, padded)
    assert list(result) == ["p2", "p3", "p5", "p7"] and result["p2"] is other


@pytest.mark.parametrize(
    "options, message",
    [
        ({"reduction": 3}, r"reduction 3 \(MODEL.SET.REDUCTION\).*the 8 channels"),
        ({"reduction": 16}, "reduction 16"),
        ({"reduction": 0}, "reduction 0"),
        ({"kernel": 4}, r"kernel of 4 \(MODEL.SET.KERNEL\)"),
        ({"kernel": -3}, "kernel of -3"),
        ({"kernel": [3, 2, 3]}, "kernel of 2"),
        ({"kernel": [3, 5]}, "each of the 3 levels p3, p5, p7"),
        ({"kernel": "strides"}, "'strides'.*is not 'stride'"),
        ({"mask": "all"}, r"mask rule \(MODEL.SET.MASK\): 'all'.*nearest, any"),
        ({"region": "fg"}, r"region \(MODEL.SET.REGION\): 'fg'.*background, all"),
    ],
)
def test_values_that_do_not_exist_are_errors(options, message):
    with pytest.raises(UserError, match=message):
        build(**options)


def test_none_is_the_kernel_by_stride():
    assert [str(block) for block in build(kernel=None).values()] == [
        str(block) for block in build().values()
    ]
    assert [block.reduce.kernel_size[0] for block in build().values()] == [3, 5, 7]


def test_inputs_that_do_not_fit_are_errors():
    features, boxes, padded = inputs()
    with pytest.raises(ValueError, match="1 tensors of boxes for 2 images"):
        build()(features, boxes[:1], padded)
    del features["p5"]
    with pytest.raises(ValueError, match="features lack p5; there are p3, p7"):
        build()(features, boxes, padded)
    with pytest.raises(ValueError, match="channels of p3, but strides of p4"):
        BackgroundSmoothing(channels={"p3": 8}, strides={"p4": 16})


def test_the_second_relu_only_adds():
    x = torch.randn(2, 8, 6, 6)
    block = SmoothingBlock(8, kernel=3, output_relu=True)
    assert (block(x) >= x).all()
    block.output_relu = False
    assert (block(x) < x).any()
