"""ATSS, PAA and AutoAssign exported: a batch against the model's own inference, and a trace."""

import pytest
import torch
from torch import nn

from d2freq.engine.export import BatchDetector, ImageDetector
from tests.d2freq.modeling.detectors.dense.dense_cases import KINDS
from tests.d2freq.modeling.detectors.dense.dense_cases import build as build_thin

from .cases import assert_same, noise


def build(kind, *options):
    """A thin detector whose scores are far apart and whose boxes overlap."""
    node = f"MODEL.{kind.upper()}"
    model = build_thin(
        kind,
        *(f"{node}.SCORE_THRESH_TEST", 0.3, f"{node}.TOPK_CANDIDATES_TEST", 40),
        *("TEST.DETECTIONS_PER_IMAGE", 25, *options),
    ).eval()
    for layer in filter(lambda each: isinstance(each, nn.Conv2d), model.head.modules()):
        nn.init.normal_(layer.weight, std=2 / layer.weight[0].numel() ** 0.5)
        nn.init.zeros_(layer.bias)
    # a backbone without weights and norms hands on numbers of some 10,000
    for layer in (model.head.cls_score, model.head.bbox_pred, model.head.quality):
        layer.weight.data /= 1e4
    return model


CASES = [*((kind, ()) for kind in KINDS), ("PAA", ("MODEL.PAA.SCORE_VOTING", False))]


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_a_batch_is_its_pictures(kind, options):
    model = build(kind, *options)
    detector, alone = BatchDetector(model), ImageDetector(model)
    assert detector.takes_batches
    for size in ((96, 128), (97, 131)):
        batch = torch.stack([noise(size, seed=seed) for seed in range(2)])
        with torch.no_grad():
            *found, images = detector(batch)
            for place, image in enumerate(batch):
                expected = alone(image)
                assert len(expected[0]) > 5
                assert_same([part[images == place] for part in found], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trace_serves_other_sizes(kind):
    model = build(kind)
    with torch.no_grad():
        traced = torch.jit.trace(BatchDetector(model), noise((96, 128))[None], check_trace=False)
        image = noise((70, 150), seed=3)
        assert_same(traced(image[None])[:3], ImageDetector(model)(image))
