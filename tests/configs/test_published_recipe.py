"""The recipes of the HS-FPN and SET papers in their configs, as the papers' code states them.

What a config does otherwise is a sentence in the README of its folder, not a row here.
"""

from itertools import product

import pytest

from d2freq.engine import load_yaml

from .config_cases import CONFIGS, names

AITOD = [name for name in names() if name.endswith(("_aitod", "_visdrone", "_coco"))]
OF_PAPERS = [name for name in AITOD if name.startswith(("hs_fpn/", "set/"))]


@pytest.fixture(params=OF_PAPERS)
def config(request):
    """Name and keys of a config of either paper's tables."""
    return request.param, load_yaml(str(CONFIGS / f"{request.param}.yaml"))


def test_there_are_both_families():
    assert len(OF_PAPERS) > 40
    for folder, kind in product(("hs_fpn/", "set/"), ("faster", "cascade", "retinanet")):
        assert any(name.startswith(folder + kind) for name in OF_PAPERS), (folder, kind)


def test_proposals(config):
    name, cfg = config
    if "rcnn" not in name:
        return
    own = "NWDRPN" if "NWD" in name else "RFLARPN" if "RFLA" in name else "MaxIoURPN"
    assert cfg.MODEL.PROPOSAL_GENERATOR.NAME == own
    assert cfg.MODEL.MAX_IOU_RPN.MIN_POS_IOU == 0.3
    assert list(cfg.MODEL.RPN.IOU_THRESHOLDS) == [0.3, 0.7]
    scale = 2 if name.startswith("hs_fpn/") or "HSFPN" in name else 8
    sizes = [[scale * stride] for stride in (4, 8, 16, 32, 64)]
    assert [list(level) for level in cfg.MODEL.ANCHOR_GENERATOR.SIZES] == sizes
    assert cfg.MODEL.RPN.BOUNDARY_THRESH == (0 if "cascade" in name else -1)


def test_backbone(config):
    name, cfg = config
    assert cfg.MODEL.FPN.LATERAL_INIT == "xavier"
    if "MobileNetV2" in name:
        assert (cfg.MODEL.MOBILENETV2.NORM, cfg.MODEL.BACKBONE.FREEZE_AT) == ("FrozenStatsBN", 0)
        return
    assert cfg.MODEL.RESNETS.NORM == ("FrozenBN" if "fcos" in name else "FrozenStatsBN")
    assert cfg.MODEL.BACKBONE.FREEZE_AT == 2  # stem and res2
    retinanet = {"hs_fpn/retinanet_R50_HSFPN_aitod": "build_retinanet_resnet_hsfpn_backbone"}.get(
        name, "build_d2freq_retinanet_resnet_fpn_backbone"
    )
    if "retinanet" in name:  # P6 from C5
        assert cfg.MODEL.BACKBONE.NAME == retinanet


def test_warm_up_and_rates(config):
    name, cfg = config
    solver = cfg.SOLVER
    long = "RFLA" in name or name.startswith("set/cascade")
    iterations = 10_000 if "fcos" in name else 5000 if long else 500
    assert solver.WARMUP_ITERS == iterations
    method = ("constant", pytest.approx(1 / 3)) if "fcos" in name else ("linear", 0.001)
    assert (solver.WARMUP_METHOD, solver.WARMUP_FACTOR) == method
    assert solver.BASE_LR == (0.001 if name.startswith("hs_fpn/retinanet") else 0.005)
    epoch = solver.MAX_ITER / 12
    assert [round(step / epoch) for step in solver.STEPS] == [8, 11]


def test_fcos_infers_as_published(config):
    name, cfg = config
    if "fcos" in name:
        keys = cfg.MODEL.FCOS
        assert (keys.INFERENCE, keys.SCORE, keys.SCORE_THRESH_TEST) == (
            "published",
            "product",
            0.05,
        )
