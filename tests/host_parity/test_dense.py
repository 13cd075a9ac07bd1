"""The parts of one-stage and of cascaded detectors against those of Detectron2, in one process."""

import importlib
import inspect

import detectron2.layers
import detectron2.modeling.meta_arch
import detectron2.modeling.roi_heads
import detectron2.structures
import detectron2.utils.events
import pytest
import torch

import minid2.layers
import minid2.modeling.meta_arch
import minid2.modeling.roi_heads
import minid2.structures
import minid2.utils.events

HOSTS = (detectron2, minid2)


def random_boxes(count, generator):
    corner = torch.rand(count, 2, generator=generator) * 40
    return torch.cat([corner, corner + 4 + torch.rand(count, 2, generator=generator) * 20], dim=1)


class Nothing(torch.nn.Module):
    """Where a backbone or a head must be but is not used."""

    def output_shape(self):
        shape = minid2.layers.ShapeSpec
        return {"late": shape(channels=1, stride=8), "early": shape(channels=1, stride=4)}


def retinanet(host, **options):
    modeling = importlib.import_module(f"{host.__name__}.modeling")
    return modeling.RetinaNet(
        backbone=Nothing(),
        head=Nothing(),
        head_in_features=["a", "b"],
        anchor_generator=Nothing(),
        box2box_transform=modeling.box_regression.Box2BoxTransform((1.0, 1.0, 1.0, 1.0)),
        anchor_matcher=modeling.matcher.Matcher([0.4, 0.5], [0, -1, 1], True),
        num_classes=4,
        pixel_mean=[0.0],
        pixel_std=[1.0],
        **options,
    )


def test_labels_losses_and_normalizer(records):
    results = []
    for host in HOSTS:
        g = torch.Generator().manual_seed(2)
        model = retinanet(host, smooth_l1_beta=0.2)
        anchors = [host.structures.Boxes(random_boxes(n, g)) for n in (90, 20)]
        targets = [record["instances"] for record in records(host, (5, 0))]
        labels, boxes = model.label_anchors(anchors, targets)
        logits = [torch.randn(2, n, 4, generator=g) for n in (90, 20)]
        deltas = [torch.randn(2, n, 4, generator=g) for n in (90, 20)]
        seen = []
        for _ in range(3):
            with host.utils.events.EventStorage() as storage:
                losses = model.losses(anchors, logits, labels, deltas, boxes)
            seen += [losses, storage.latest(), model.loss_normalizer]
        results.append((labels, boxes, seen))
        assert model._ema_update("other", 10.0, 100.0) == 91.0 == model.other
    real, ours = results
    torch.testing.assert_close(ours, real)
    assert (real[0][0] < 4).sum() > 5 and (real[0][0] == -1).any()


@pytest.mark.parametrize("topk", [1000, 30])
def test_decoding(topk, assert_same_instances):
    found = []
    for host in HOSTS:
        g = torch.Generator().manual_seed(2)
        model = retinanet(
            host, test_score_thresh=0.4, test_topk_candidates=topk, max_detections_per_image=40
        )
        anchors = [host.structures.Boxes(random_boxes(n, g)) for n in (90, 20, 5)]
        scores = [torch.rand(n, 4, generator=g) for n in (90, 20, 5)]
        scores[2][:] = 0.4  # not above the threshold
        deltas = [0.5 * torch.randn(n, 4, generator=g) for n in (90, 20, 5)]
        levels = anchors, scores, deltas
        found.append(
            [
                model.inference_single_image(*levels, (40, 45)),
                model._decode_multi_level_predictions(*levels, 0.2, topk, (40, 45)),
            ]
        )
    for theirs, mine in zip(*found, strict=True):
        assert len(mine) >= 40
        assert_same_instances(mine, theirs)


def test_dense_detector_takes_levels_by_stride_and_transposes():
    g = torch.Generator().manual_seed(2)
    maps = [[torch.randn(2, 6, 3, 4, generator=g)], [torch.randn(2, 8, 3, 4, generator=g)]]
    results = []
    for host in HOSTS:
        make = host.modeling.meta_arch.DenseDetector
        model = make(Nothing(), Nothing(), pixel_mean=[0.0], pixel_std=[1.0])
        module = importlib.import_module(f"{host.__name__}.modeling.meta_arch.dense_detector")
        permuted = module.permute_to_N_HWA_K(maps[0][0], 3)
        assert model.head_in_features == ["early", "late"]
        results.append([model._transpose_dense_predictions(maps, [3, 4]), permuted])
    torch.testing.assert_close(results[1], results[0])


@pytest.mark.parametrize("norm", ["", "GN", "BN", "SyncBN", "FrozenBN"])
def test_heads(norm):
    results = []
    for host in HOSTS:
        head = importlib.import_module(f"{host.__name__}.modeling.meta_arch.retinanet")
        torch.manual_seed(4)
        head = head.RetinaNetHead(
            input_shape=[host.layers.ShapeSpec(channels=32)] * 2,
            num_classes=3,
            num_anchors=2,
            conv_dims=[32, 64],
            norm=norm,
            prior_prob=0.1,
        )
        initial = {key: value.clone() for key, value in head.state_dict().items()}
        draws, g = torch.rand(3), torch.Generator().manual_seed(1)
        if norm != "SyncBN":  # trains on GPUs alone
            for _ in range(2):
                head([torch.randn(2, 32, n, n, generator=g) for n in (8, 4)])
        after = {key: value.clone() for key, value in head.state_dict().items()}
        maps = [torch.randn(2, 32, n, n, generator=g) for n in (8, 4)]
        results.append([list(initial), initial, draws, after, [list(x) for x in head.eval()(maps)]])
    assert results[0][0] == results[1][0]
    torch.testing.assert_close(results[1][1:], results[0][1:])


@pytest.mark.parametrize("affine", [True, False])
def test_norms_in_turns(affine):
    results = []
    for host in HOSTS:
        norms = host.layers.CycleBatchNormList(3, num_features=4, affine=affine)
        g = torch.Generator().manual_seed(1)
        values = [norms(torch.randn(2, 4, 3, 3, generator=g)) for _ in range(7)]
        results.append([list(norms.state_dict()), dict(norms.state_dict()), values])
    assert results[0][0] == results[1][0]
    torch.testing.assert_close(results[1][1:], results[0][1:])


def test_name_scopes_of_events():
    results = []
    for host in HOSTS:
        with host.utils.events.EventStorage() as storage:
            with storage.name_scope("a"):
                storage.put_scalar("x", 1.0)
                with storage.name_scope("b/"):
                    storage.put_scalars(x=2.0, y=3.0)
                storage.put_scalar("z", 4.0)
            storage.put_scalar("x", 5.0)
        results.append(list(storage.latest().items()))
    assert results[0] == results[1]


@pytest.mark.parametrize("training", [True, False])
def test_boxes_and_labels_between_stages(training, records, assert_same_instances):
    results = []
    for host in HOSTS:
        g = torch.Generator().manual_seed(2)
        matcher = importlib.import_module(f"{host.__name__}.modeling.matcher").Matcher
        heads = host.modeling.roi_heads.CascadeROIHeads(
            num_classes=4,
            batch_size_per_image=16,
            positive_fraction=0.25,
            box_in_features=["p2"],
            box_pooler=Nothing(),
            box_heads=[Nothing(), Nothing()],
            box_predictors=[Nothing(), Nothing()],
            proposal_matchers=[matcher([0.5], [0, 1]), matcher([0.3, 0.8], [0, -1, 1])],
        ).train(training)
        targets = [record["instances"] for record in records(host, (5, 0))]
        boxes = [random_boxes(60, g) - 10, random_boxes(7, g)]
        boxes[0][3, 2:] = boxes[0][3, :2]
        sizes = [target.image_size for target in targets]
        found = heads._create_proposals_from_boxes(boxes, sizes)
        with host.utils.events.EventStorage() as storage:
            labelled = heads._match_and_label_boxes(found, 1, targets)
        results.append((labelled, storage.latest(), heads.num_cascade_stages))
    real, ours = results
    assert real[1:] == ours[1:]
    assert len(real[0][0]) < 60 or not training
    for theirs, mine in zip(real[0], ours[0], strict=True):
        assert_same_instances(mine, theirs)


SIGNATURES = [
    ("layers", "CycleBatchNormList"),
    ("modeling", "RetinaNet"),
    ("modeling.meta_arch", "DenseDetector"),
    ("modeling.meta_arch.dense_detector", "permute_to_N_HWA_K"),
    ("modeling.meta_arch.retinanet", "RetinaNetHead"),
    ("modeling.backbone.fpn", "build_resnet_fpn_backbone"),
    ("modeling.backbone.fpn", "build_retinanet_resnet_fpn_backbone"),
]
METHODS = {
    "DenseDetector": ["forward", "forward_training", "preprocess_image"]
    + ["_transpose_dense_predictions", "_ema_update"]
    + ["_decode_per_level_predictions", "_decode_multi_level_predictions"],
    "RetinaNet": ["from_config", "forward_training", "forward_inference", "losses"]
    + ["label_anchors", "inference_single_image"],
    "RetinaNetHead": ["from_config", "forward"],
}


@pytest.mark.parametrize(("module", "name"), SIGNATURES)
def test_signatures(module, name):
    def shape(function):
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    real, ours = (
        getattr(importlib.import_module(f"{host.__name__}.{module}"), name) for host in HOSTS
    )
    assert shape(ours) == shape(real)
    for method in METHODS.get(name, []):
        assert shape(getattr(ours, method)) == shape(getattr(real, method)), method
