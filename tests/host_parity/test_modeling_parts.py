"""Backbones and box machinery: minid2 against the real Detectron2 on equal inputs."""

import importlib
import inspect

import pytest
import torch

from .test_names import offered


def host(module: str, name: str) -> tuple:
    """The same public name of Detectron2 and of minid2."""
    return tuple(
        getattr(importlib.import_module(f"{package}.{module}".rstrip(".")), name)
        for package in ("detectron2", "minid2")
    )


def both(module: str, name: str, *args, **kwargs) -> tuple:
    """What that name makes of the arguments on either side."""
    return tuple(make(*args, **kwargs) for make in host(module, name))


def boxes(count: int, side: float = 200.0, least: float = 0.0) -> torch.Tensor:
    """Random XYXY boxes in a square of that side."""
    corner = torch.rand(count, 2) * side
    return torch.cat([corner, corner + least + torch.rand(count, 2) * side / 2], dim=1)


def same(left, right, **tolerance) -> None:
    """Equal structures of tensors, dtypes and devices included."""
    torch.testing.assert_close(right, left, **tolerance)


EXACT = {"rtol": 0.0, "atol": 0.0}

SIGNATURES = [
    *[("layers", name) for name in ("FrozenBatchNorm2d", "CNNBlockBase", "ROIAlign", "ShapeSpec")],
    *[("layers", name) for name in ("get_norm", "batched_nms", "cat", "cross_entropy")],
    *[("modeling", name) for name in ("FPN", "ResNet", "build_backbone")],
    *[("modeling", name) for name in ("build_anchor_generator", "detector_postprocess")],
    *[("modeling.backbone", name) for name in ("Backbone", "BasicStem", "BottleneckBlock")],
    *[("modeling.backbone.resnet", name) for name in ("BasicBlock", "build_resnet_backbone")],
    *[("modeling.backbone.fpn", name) for name in ("LastLevelMaxPool", "LastLevelP6P7")],
    ("modeling.anchor_generator", "DefaultAnchorGenerator"),
    ("modeling.matcher", "Matcher"),
    *[
        ("modeling.box_regression", name)
        for name in ("Box2BoxTransform", "_dense_box_regression_loss")
    ],
    ("modeling.sampling", "subsample_labels"),
    *[
        ("modeling.poolers", name)
        for name in ("ROIPooler", "assign_boxes_to_levels", "convert_boxes_to_pooler_format")
    ],
]


@pytest.mark.parametrize("module, name", SIGNATURES)
def test_signatures(module, name):
    """Same arguments in the same order, of the same kind, with the same defaults."""

    def arguments(function):
        return [
            (p.name, p.kind, p.default)
            for p in inspect.signature(function).parameters.values()
            if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]

    theirs, ours = host(module, name)
    assert arguments(ours) == arguments(theirs)


@pytest.mark.parametrize("package", ["layers", "modeling", "modeling.backbone"])
def test_exports_exist_in_detectron2(package):
    """What minid2 offers at package level is what Detectron2 offers there."""
    theirs, ours = (
        importlib.import_module(f"{host}.{package}") for host in ("detectron2", "minid2")
    )
    assert set(offered(ours)) - set(dir(theirs)) == set()


def test_frozen_batch_norm():
    """Old and new checkpoints, conversion, and both ways of computing."""
    x = torch.randn(2, 5, 3, 4)
    state = {key: torch.rand(5) + 0.5 for key in ("weight", "bias", "running_mean", "running_var")}
    for keys, strict in ((("weight", "bias"), True), (tuple(state), True)):
        pair = both("layers", "FrozenBatchNorm2d", 5, eps=1e-3)
        for layer in pair:
            layer.load_state_dict({key: state[key] for key in keys}, strict=strict)
        same(pair[0].state_dict(), pair[1].state_dict(), **EXACT)
        for grad in (False, True):
            same(*(layer(x.clone().requires_grad_(grad)) for layer in pair))
    results = []
    for cls in host("layers", "FrozenBatchNorm2d"):
        net = torch.nn.Sequential(torch.nn.BatchNorm2d(5), torch.nn.SyncBatchNorm(5))
        net[0].running_mean += 2
        frozen = cls.convert_frozen_batchnorm(net)
        assert frozen is net and [type(layer) for layer in frozen] == [cls] * 2
        results.append(dict(frozen.state_dict()))
    same(*results, **EXACT)


@pytest.mark.parametrize("norm", ["", "BN", "SyncBN", "FrozenBN", "GN"])
def test_norms(norm):
    """Same state and same values; one process without a process group."""
    pair = both("layers", "get_norm", norm, 64)
    if norm == "":
        assert pair == (None, None)
        return
    same(*(dict(layer.state_dict()) for layer in pair), **EXACT)
    x = torch.randn(2, 64, 3, 4)
    same(*(layer(x) for layer in pair))


def test_small_layers():
    """Loss on empty input, suppression."""
    empty = torch.zeros(0, 5, requires_grad=True), torch.zeros(0, dtype=torch.long)
    for reduction in ("mean", "sum", "none"):
        same(*both("layers", "cross_entropy", *empty, reduction=reduction))
    same(*both("layers", "batched_nms", boxes(50), torch.rand(50), torch.randint(3, (50,)), 0.3))


def config(**keys):
    """Detectron2's default config with these keys of MODEL (dots as double underscores)."""
    (get_cfg, _) = host("config", "get_cfg")
    cfg = get_cfg()
    cfg.MODEL.RESNETS.OUT_FEATURES = ["res2", "res3", "res4", "res5"]
    for key, value in keys.items():
        cfg.merge_from_list(["MODEL." + key.replace("__", "."), value])
    if cfg.MODEL.RESNETS.DEPTH < 50:
        cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 64
    return cfg


def compare_backbones(cfg) -> None:
    """Seeded weights, parameter names, what is trained, output shapes, values, gradients."""
    built, states, after = [], [], []
    for build in host("modeling", "build_backbone"):
        torch.manual_seed(5)
        net = build(cfg)
        after.append(torch.rand(3))
        built.append(net)
        states.append(dict(net.state_dict()))
    theirs, ours = built
    assert list(states[0]) == list(states[1])
    same(*states, **EXACT)
    same(*after, **EXACT)  # what is built next starts from the same random state
    assert [(n, p.requires_grad) for n, p in theirs.named_parameters()] == [
        (n, p.requires_grad) for n, p in ours.named_parameters()
    ]
    shapes = [
        {key: (value.channels, value.stride) for key, value in net.output_shape().items()}
        for net in built
    ]
    assert shapes[0] == shapes[1] and list(shapes[0]) == list(shapes[1])
    assert ours.size_divisibility == theirs.size_divisibility
    assert ours.padding_constraints == theirs.padding_constraints
    x = torch.randn(2, 3, 64, 64)
    outputs = [net(x) for net in built]
    assert list(outputs[0]) == list(outputs[1])
    same(
        *outputs,
        rtol=1e-4,
        atol=1e-4 * max(float(v.detach().abs().max()) for v in outputs[0].values()),
    )
    if not any(p.requires_grad for p in ours.parameters()):
        return
    for output in outputs:
        # Mean of squares: a gradient of every size in every layer.
        sum(value.square().mean().sqrt() for value in output.values()).backward()
    for (name, left), right in zip(theirs.named_parameters(), ours.parameters(), strict=True):
        if left.grad is not None:
            bound = 1e-3 * float(left.grad.abs().max()) + 1e-7
            assert (left.grad - right.grad).abs().max() <= bound, name


@pytest.mark.parametrize(
    "depth, norm, freeze_at",
    [
        (18, "BN", 0),
        (18, "FrozenBN", 2),
        (34, "GN", 1),
        (50, "GN", 0),
        (50, "SyncBN", 5),
        (101, "BN", 3),
        (152, "FrozenBN", 2),
    ],
)
def test_resnets(depth, norm, freeze_at):
    """Each depth and each norm, with several frozen parts."""
    compare_backbones(
        config(RESNETS__DEPTH=depth, RESNETS__NORM=norm, BACKBONE__FREEZE_AT=freeze_at)
    )


@pytest.mark.parametrize(
    "keys",
    [
        {"RESNETS__OUT_FEATURES": ["res4"]},
        {"RESNETS__OUT_FEATURES": ["stem", "res3"]},
        {"RESNETS__RES5_DILATION": 2, "RESNETS__STRIDE_IN_1X1": False},
        {"RESNETS__NUM_GROUPS": 32, "RESNETS__WIDTH_PER_GROUP": 4},
        {"RESNETS__STEM_OUT_CHANNELS": 32, "RESNETS__RES2_OUT_CHANNELS": 128},
    ],
)
def test_resnet_switches(keys):
    """Which stages exist, dilation, groups, widths."""
    compare_backbones(config(RESNETS__NORM="BN", **keys))


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"FPN__NORM": "GN", "FPN__FUSE_TYPE": "avg", "FPN__OUT_CHANNELS": 64},
        {"FPN__NORM": "BN", "FPN__IN_FEATURES": ["res3", "res4"]},
        {
            "BACKBONE__NAME": "build_retinanet_resnet_fpn_backbone",
            "FPN__IN_FEATURES": ["res3", "res4", "res5"],
            "RESNETS__OUT_FEATURES": ["res3", "res4", "res5"],
        },
    ],
)
def test_pyramids(keys):
    """The presets of both builders."""
    keys = {
        "BACKBONE__NAME": "build_resnet_fpn_backbone",
        "FPN__IN_FEATURES": ["res2", "res3", "res4", "res5"],
        "RESNETS__DEPTH": 18,
        **keys,
    }
    if keys["FPN__IN_FEATURES"] == ["res3", "res4"]:  # the top level needs a P5
        keys["FPN__IN_FEATURES"] = ["res3", "res4", "res5"]
    compare_backbones(config(**keys))


def test_classifier_and_default_stages():
    """The head for pre-training, and make_default_stages."""
    outputs = []
    for package in ("detectron2", "minid2"):
        resnet = importlib.import_module(f"{package}.modeling.backbone.resnet")
        torch.manual_seed(1)
        net = resnet.ResNet(
            resnet.BasicStem(norm="BN"),
            resnet.ResNet.make_default_stages(50, norm="BN", stride_in_1x1=True),
            num_classes=10,
        )
        x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        outputs.append([dict(net.state_dict()), dict(net(x))])
    same(*outputs)


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_anchors(offset):
    """Lists for all maps and lists for each, odd sizes."""
    maps = [torch.zeros(1, 1, 5, 3), torch.zeros(1, 1, 2, 7)]
    for sizes, ratios in (([[8, 16]], [[0.5, 1.0, 2.0]]), ([[8], [16.5]], [[1.0], [0.3, 3.0]])):
        pair = both(
            "modeling.anchor_generator",
            "DefaultAnchorGenerator",
            sizes=sizes,
            aspect_ratios=ratios,
            strides=[4, 8],
            offset=offset,
        )
        assert pair[0].num_anchors == pair[1].num_anchors
        assert list(pair[1].state_dict()) == list(pair[0].state_dict()) == []
        same(*([level.tensor for level in generator(maps)] for generator in pair), **EXACT)


@pytest.mark.parametrize("low_quality", [False, True])
@pytest.mark.parametrize(
    "thresholds, labels", [([0.3, 0.7], [0, -1, 1]), ([0.5], [0, 1]), ([0.25, 0.25], [0, -1, 1])]
)
def test_matcher(thresholds, labels, low_quality):
    """Random matrices with ties and with values on the thresholds, empty sides."""
    pair = both("modeling.matcher", "Matcher", thresholds, labels, low_quality)
    for rows, columns in ((4, 300), (1, 5), (0, 6), (3, 0), (0, 0)):
        quality = (torch.rand(rows, columns) * 20).round() / 20
        same(*(matcher(quality) for matcher in pair), **EXACT)
    quality = torch.rand(5, 200) * (torch.rand(5, 200) > 0.7)  # a row may be all zero
    quality[2] = 0
    same(*(matcher(quality) for matcher in pair), **EXACT)


@pytest.mark.parametrize(
    "options",
    [
        {"weights": (10.0, 10.0, 5.0, 5.0)},
        {"weights": (1.0, 1.0, 1.0, 1.0), "scale_clamp": 0.5},
    ],
)
def test_box_transforms(options):
    """Both directions, half precision, several boxes a source, none at all."""
    pair = both("modeling.box_regression", "Box2BoxTransform", **options)
    for count in (40, 0):
        source, target = boxes(count, least=1.0), boxes(count, least=1.0)
        same(*(transform.get_deltas(source, target) for transform in pair))
        for dtype in (torch.float32, torch.float16):
            deltas = torch.randn(count, 4).to(dtype)
            # Half precision: two units in the last place, where the order of the sums differs.
            tolerance = {"rtol": 4e-3, "atol": 0.3} if dtype == torch.float16 else {}
            same(*(transform.apply_deltas(deltas, source) for transform in pair), **tolerance)
    source = boxes(9, least=1.0)
    deltas = 3 * torch.randn(9, 12)
    same(*(transform.apply_deltas(deltas, source) for transform in pair))


@pytest.mark.parametrize("kind", ["smooth_l1", "giou", "diou", "ciou"])
def test_dense_box_loss(kind):
    """Two images, two levels, some foreground and none."""
    levels = [boxes(6, least=1.0), boxes(3, least=1.0)]
    targets = [torch.cat(levels) + 3 * torch.rand(9, 4) for _ in range(2)]
    deltas = [0.1 * torch.randn(2, len(level), 4) for level in levels]
    for foreground in (torch.rand(2, 9) > 0.5, torch.zeros(2, 9, dtype=torch.bool)):
        losses = []
        for package in ("detectron2", "minid2"):
            module = importlib.import_module(f"{package}.modeling.box_regression")
            structures = importlib.import_module(f"{package}.structures")
            losses.append(
                module._dense_box_regression_loss(
                    [structures.Boxes(level) for level in levels],
                    module.Box2BoxTransform((1.0, 1.0, 1.0, 1.0)),
                    deltas,
                    targets,
                    foreground,
                    kind,
                    0.1,
                )
            )
        same(*losses)


@pytest.mark.parametrize("positives", [0, 5, 80])
def test_subsampling_draws_the_same(positives):
    """Equal seeds give equal samples, and leave equal random states."""
    labels = torch.full((100,), 7)
    labels[:positives] = torch.arange(positives) % 3
    labels[95:] = -1
    labels = labels[torch.randperm(100)]
    drawn = []
    for subsample in host("modeling.sampling", "subsample_labels"):
        torch.manual_seed(4)
        drawn.append([subsample(labels, 32, 0.25, 7), torch.rand(2)])
    same(*drawn, **EXACT)


@pytest.mark.parametrize("kind", ["ROIAlignV2", "ROIAlign", "ROIPool"])
@pytest.mark.parametrize("levels", [1, 3])
def test_poolers(kind, levels):
    """Boxes of all sizes over several levels, images without boxes, gradients."""
    scales = [1 / 4, 1 / 8, 1 / 16][:levels]
    pair = both("modeling.poolers", "ROIPooler", 3, scales, 0, kind, 64, 3)
    maps = [torch.randn(3, 2, int(256 * scale), int(256 * scale)) for scale in scales]
    raw = [boxes(20, side=160.0), torch.zeros(0, 4), torch.tensor([[0.0, 0.0, 64.0, 64.0]])]
    for lists in (raw, [torch.zeros(0, 4)] * 3):
        results = []
        for pooler, cls in zip(pair, host("structures", "Boxes"), strict=True):
            leaves = [level.clone().requires_grad_() for level in maps]
            pooled = pooler(leaves, [cls(tensor) for tensor in lists])
            pooled.square().sum().backward()
            results.append([pooled, [leaf.grad for leaf in leaves]])
        same(*results)


def test_levels_and_pooler_format():
    """Sizes on and beside the borders between levels, zero area, huge."""
    sides = torch.tensor([0.0, 1.0, 55.99, 56.0, 111.9999, 112.0, 223.99, 224.0, 448.0, 1e4])
    raw = torch.stack([sides * 0, sides * 0, sides, sides], dim=1)
    levels, rows = [], []
    for package in ("detectron2", "minid2"):
        module = importlib.import_module(f"{package}.modeling.poolers")
        cls = importlib.import_module(f"{package}.structures").Boxes
        lists = [cls(raw), cls(raw[:0]), cls(raw[3:])]
        levels.append(module.assign_boxes_to_levels(lists, 2, 5, 224, 4))
        rows.append(module.convert_boxes_to_pooler_format(lists))
    same(*levels, **EXACT)
    same(*rows, **EXACT)


@pytest.mark.parametrize("field", ["pred_boxes", "proposal_boxes"])
@pytest.mark.parametrize("count", [30, 0])
def test_postprocess(field, count):
    """Scaling, clipping and dropping of what lies outside."""
    raw, scores = boxes(count) - 20, torch.rand(count)
    outcomes = []
    for package in ("detectron2", "minid2"):
        structures = importlib.import_module(f"{package}.structures")
        seen = structures.Instances((100, 150), scores=scores.clone())
        seen.set(field, structures.Boxes(raw.clone()))
        modeling = importlib.import_module(f"{package}.modeling")
        wanted = modeling.detector_postprocess(seen, 77, 301)
        outcomes.append([wanted.get(field).tensor, wanted.scores, list(wanted.image_size)])
    same(*outcomes)
