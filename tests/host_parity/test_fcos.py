"""FCOS against that of Detectron2, in one process: its parts."""

import importlib
import inspect

import detectron2.modeling
import detectron2.structures
import detectron2.utils.events
import pytest
import torch

import minid2.modeling
import minid2.structures
import minid2.utils.events
from minid2.layers import ShapeSpec

HOSTS = (detectron2, minid2)


def module(host, path):
    return importlib.import_module(f"{host.__name__}.modeling.{path}")


class Nothing(torch.nn.Module):
    """Where a backbone or a head must be but is not used."""

    def output_shape(self):
        strides = {"late": 32, "early": 8, "middle": 16}
        return {name: ShapeSpec(channels=1, stride=stride) for name, stride in strides.items()}


def fcos(host, **options):
    return module(host, "meta_arch.fcos").FCOS(
        backbone=Nothing(),
        head=Nothing(),
        num_classes=4,
        pixel_mean=[0.0],
        pixel_std=[1.0],
        **options,
    )


def points_of(model):
    return model.anchor_generator([torch.zeros(1, 1, n, n) for n in (32, 16, 8)])


def truth(host, seed):
    """Objects of 0 to 20 or to 300 pixels; whole and half numbers, so that many meet a border."""
    g = torch.Generator().manual_seed(seed)
    corner = torch.randint(-10, 250, (25, 2), generator=g)
    size = torch.randint(0, (20, 300)[seed % 2], (25, 2), generator=g)
    boxes = torch.cat([corner, corner + size], dim=1) / (1 + seed % 3 // 2)
    target = host.structures.Instances((256, 256), gt_boxes=host.structures.Boxes(boxes))
    target.gt_classes = torch.randint(4, (25,), generator=g)
    return target


@pytest.mark.parametrize("radius", [1.5, 1.0, 3.25])
def test_matching_labels_and_centerness(radius):
    own = 0
    for seed in range(12):
        results = []
        for host in HOSTS:
            model, target = fcos(host, center_sampling_radius=radius), truth(host, seed)
            points = points_of(model)
            quality = model._match_anchors(target.gt_boxes, points)
            labels, boxes = model.label_anchors(points, [target, target[:0]])
            centerness = model.compute_ctrness_targets(points, boxes)
            results.append([quality, labels, boxes, centerness])
        assert torch.equal(results[0][0], results[1][0])
        torch.testing.assert_close(results[1], results[0], equal_nan=True)
        own += (results[0][0] > 0).sum()
    assert own > 300


def test_the_first_of_two_objects_that_tie_wins():
    boxes = torch.tensor([[2.0, 2.0, 6.0, 6.0], [2.0, 2.0, 6.0, 5.5], [1.0, 1.0, 7.0, 7.0]])
    found = []
    for host in HOSTS:
        target = host.structures.Instances((8, 8), gt_boxes=host.structures.Boxes(boxes))
        target.gt_classes = torch.tensor([0, 1, 2])
        model = fcos(host)
        found.append(model.label_anchors(points_of(model), [target])[0][0][0].item())
    assert found == [0, 0]  # areas 16 and 14 are one number below 1e8


def predictions(g):
    counts = (1024, 256, 64)
    return [[torch.randn(2, n, k, generator=g) for n in counts] for k in (4, 4, 1)]


@pytest.mark.parametrize("normalize", [None, True, False])
def test_losses_and_normalizer(normalize):
    results = []
    for host in HOSTS:
        transform = None
        if normalize is not None:
            transform = module(host, "box_regression").Box2BoxTransformLinear(normalize)
        model = fcos(host, box2box_transform=transform, focal_loss_gamma=1.5)
        points, targets = points_of(model), [truth(host, 1), truth(host, 2)]
        seen = []
        for used in (targets, targets, [target[:0] for target in targets]):
            labels, boxes = model.label_anchors(points, used)
            logits, deltas, centerness = predictions(torch.Generator().manual_seed(3))
            with host.utils.events.EventStorage() as storage:
                losses = model.losses(points, logits, labels, deltas, boxes, centerness)
            seen += [losses, storage.latest(), model.loss_normalizer]
        results.append(seen)
    assert [list(each) for each in results[0][::3]] == [list(each) for each in results[1][::3]]
    torch.testing.assert_close(results[1], results[0])
    assert all(value > 0 for value in results[0][0].values())
    assert results[0][6]["loss_fcos_loc"] == results[1][6]["loss_fcos_ctr"] == 0


def test_half_precision_is_that_of_detectron2_given_the_same_predictions_in_float32():
    results = []
    for host in HOSTS:
        model, targets = fcos(host), [truth(host, 1), truth(host, 2)]
        points = points_of(model)
        labels, boxes = model.label_anchors(points, targets)
        logits, deltas, centerness = (
            [level.bfloat16() if host is minid2 else level.bfloat16().float() for level in kind]
            for kind in predictions(torch.Generator().manual_seed(3))
        )
        with host.utils.events.EventStorage(), torch.autocast("cpu", dtype=torch.bfloat16):
            losses = model.losses(points, logits, labels, deltas, boxes, centerness)
            scores = [level[0].float().sigmoid() for level in logits]
            rows = [level[0] for level in deltas]
            found = model.inference_single_image(points, scores, rows, (256, 256))
        assert len(found) == 100
        results.append([losses, found.pred_boxes.tensor, found.scores, found.pred_classes])
    torch.testing.assert_close(results[1], results[0])


@pytest.mark.parametrize("normalize", [True, False])
def test_linear_transform(normalize):
    g = torch.Generator().manual_seed(0)
    source = 50 * torch.rand(40, 2, generator=g)
    source = torch.cat([source, source + 3 + 20 * torch.rand(40, 2, generator=g)], dim=1)
    target = source + 4 * torch.randn(40, 4, generator=g)
    deltas = torch.randn(40, 4, generator=g)
    results = []
    for host in HOSTS:
        transform = module(host, "box_regression").Box2BoxTransformLinear(normalize)
        found = [transform.get_deltas(source, target), transform.get_deltas(source[:0], target[:0])]
        for each in (deltas, deltas.double(), deltas[:0]):
            leaf = each.clone().requires_grad_()
            decoded = transform.apply_deltas(leaf, source[: len(each)])
            decoded.sin().sum().backward()
            found += [decoded, leaf.grad]
        if not normalize:  # with it, Detectron2 takes one encoding a source alone
            found.append(transform.apply_deltas(torch.cat([deltas, -deltas], dim=1), source))
        results.append(found)
    torch.testing.assert_close(results[1], results[0])


def test_distances_of_points_to_boxes():
    g = torch.Generator().manual_seed(0)
    points, boxes = 9 * torch.rand(7, 2, generator=g), 9 * torch.rand(5, 4, generator=g)
    found = [
        h.structures.pairwise_point_box_distance(points, h.structures.Boxes(boxes)) for h in HOSTS
    ]
    assert torch.equal(*found) and found[0].shape == (7, 5, 4)


@pytest.mark.parametrize("norm", ["", "GN", "BN", "SyncBN"])
def test_heads(norm):
    results = []
    for host in HOSTS:
        torch.manual_seed(4)
        head = module(host, "meta_arch.fcos").FCOSHead(
            input_shape=[host.layers.ShapeSpec(channels=32)] * 2,
            num_classes=3,
            conv_dims=[32, 64],
            norm=norm,
            prior_prob=0.1,
        )
        initial = {key: value.clone() for key, value in head.state_dict().items()}
        draws, g = torch.rand(3), torch.Generator().manual_seed(1)
        maps = [torch.randn(2, 32, n, n, generator=g) for n in (8, 4)]
        trained = None if norm == "SyncBN" else head(maps)  # which trains on GPUs alone
        after = {key: value.clone() for key, value in head.state_dict().items()}
        results.append([list(initial), initial, draws, trained, after, head.eval()(maps)])
    assert results[0][0] == results[1][0]
    torch.testing.assert_close(results[1][1:], results[0][1:])


def test_neither_host_has_a_name_for_it_in_the_registry():
    for host in HOSTS:
        registry = host.modeling.META_ARCH_REGISTRY
        # Another test of this process may have imported d2freq's models, which take the free name.
        assert "FCOS" not in registry or registry.get("FCOS").__module__.startswith("d2freq.")
        assert not hasattr(host.modeling.FCOS, "from_config")


METHODS = {
    ("meta_arch.fcos", "FCOS"): ["forward", "forward_training", "forward_inference", "losses"]
    + ["_match_anchors", "label_anchors", "compute_ctrness_targets", "inference_single_image"],
    ("meta_arch.fcos", "FCOSHead"): ["forward", "from_config"],
    ("box_regression", "Box2BoxTransformLinear"): ["get_deltas", "apply_deltas"],
}


@pytest.mark.parametrize(("path", "name"), METHODS)
def test_signatures(path, name):
    def shape(function):
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    real, ours = (getattr(module(host, path), name) for host in HOSTS)
    assert shape(ours) == shape(real)
    for method in METHODS[path, name]:
        assert shape(getattr(ours, method)) == shape(getattr(real, method)), method
