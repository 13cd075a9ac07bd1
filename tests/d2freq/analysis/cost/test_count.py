"""``d2freq cost``: both rules against arithmetic by hand on HS-FPN's parts."""

import re

import pytest
import torch
from detectron2.layers import FrozenBatchNorm2d
from detectron2.modeling import build_model
from torch import nn

from d2freq.analysis.cost.count import measure_cost
from d2freq.analysis.cost.paper_rule import paper_macs, paper_parameters
from d2freq.cli import main
from d2freq.engine.build import config_model
from d2freq.errors import UserError
from d2freq.modeling.hs_fpn.spatial_dependency import SpatialDependencyPerception
from tests.d2freq.modeling.detectors.dino.dino_cases import small_config

FPN = "configs/hs_fpn/faster_rcnn_R50_FPN_scenes.yaml"
HSFPN = "configs/hs_fpn/faster_rcnn_R50_HSFPN_scenes.yaml"
POSITIONS = {2: 200**2, 3: 100**2, 4: 50**2, 5: 25**2}  # pixels of a level of an 800 px image


@pytest.fixture(scope="module")
def costs():
    """Costs of the two necks by both rules, at 800 pixels."""
    necks = (("fpn", FPN), ("hsfpn", HSFPN))
    models = {name: config_model(path, device="meta") for name, path in necks}
    return {
        (name, rule): measure_cost(model, rule=rule)
        for name, model in models.items()
        for rule in ("all", "paper")
    }


def test_paper_rule_gives_the_differences_of_table_5(costs):
    """HS-FPN, Table 5, "ALL" less the baseline: 2.78 M parameters and 38.31 G."""
    (p0, m0), (p1, m1) = (costs[name, "paper"].total for name in ("fpn", "hsfpn"))
    assert p1 - p0 == 2_783_232
    assert (m1 - m0) / 1e9 == pytest.approx(38.310, abs=0.001)


def test_rule_all_adds_dct_and_attention(costs):
    rows = costs["hsfpn", "all"].rows()
    # P2: two DCT projections of 50 of 200 rows; by columns first, then down, up and across
    high_pass = 256 * (200 * 200 * 50 + 2 * 200 * 50 * 50 + 200 * 200 * 50)
    tail, spatial = 589_824 * POSITIONS[2], 256 * POSITIONS[2]
    gates = 2 * 256 * 8 + 256 * 16  # score of both pools, fuse; 32 groups
    assert rows["backbone.fpn_hfp2"][1] == high_pass + tail + spatial + gates
    # 64 windows of 25 x 25 queries and 13 x 13 keys (the window's 12.5, rounded up)
    attention = 2 * 64 * 25**2 * 13**2 * 256
    projections = 65_536 * (POSITIONS[2] + POSITIONS[3])
    assert rows["backbone.fpn_sdp2"][1] == attention + projections


@pytest.mark.parametrize("norm", ["FrozenStatsBN", "FrozenBN"])
def test_parameters_count_frozen_ones_in_rule_all_alone(costs, norm):
    """By the paper's rule fixed norms beside trained convolutions count, learning or not."""
    model = config_model(FPN, ["MODEL.RESNETS.NORM", norm], device="meta")
    everything = sum(p.numel() for p in model.parameters())
    assert measure_cost(model, rule="all").total[0] == everything
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    # of ResNet-50; less stem and res2, which are frozen. Those of FrozenStatsBN are in everything.
    norms = 53_120 - 128 - 2_816 if norm == "FrozenBN" else 0
    paper = measure_cost(model, rule="paper").total[0]
    assert paper == everything - frozen + norms == costs["fpn", "paper"].total[0]


def test_paper_formulas_of_each_layer():
    x = torch.zeros(1, 8, 6, 5)
    layers = nn.Sequential(
        nn.Conv2d(8, 16, 3, padding=1, groups=4), nn.GroupNorm(4, 16), nn.ReLU(), nn.Flatten()
    )
    model = nn.ModuleDict(dict(body=layers, top=nn.Linear(480, 7)))
    macs = paper_macs(model, lambda: model["top"](model["body"](x)))
    assert macs == {
        "body.0": 30 * 16 * 2 * 9 + 30 * 16,  # products, and one a bias
        "body.1": 2 * 480,
        "body.2": 480,
        "top": 480 * 7,
    }


def test_sdp_counts_its_keys_after_upsampling():
    sdp = SpatialDependencyPerception(64)
    macs = paper_macs(sdp, lambda: sdp(torch.zeros(1, 64, 8, 8), torch.zeros(1, 64, 4, 4), 2))
    assert macs["query.conv"] == macs["key.conv"] == 64 * 64 * 64
    assert macs["query.norm"] == macs["key.norm"] == 2 * 64 * 64


def test_norms_of_frozen_convolutions_do_not_count():
    from detectron2.layers import Conv2d

    conv = Conv2d(2, 4, 1, bias=False, norm=FrozenBatchNorm2d(4))
    assert sum(paper_parameters(conv).values()) == 8 + 8
    conv.weight.requires_grad = False
    assert sum(paper_parameters(conv).values()) == 0


def test_command_prints_a_row_a_module(capsys):
    assert main(["cost", "--config-file", HSFPN, "--size", "64", "--proposals", "2"]) == 0
    printed = capsys.readouterr().out
    for name in ("backbone.bottom_up", "backbone.fpn_hfp2", "roi_heads.box_head", "total"):
        assert name in printed


def test_time_and_memory_are_measured_where_they_are_asked_for(capsys):
    config = "configs/hs_fpn/faster_rcnn_R18_FPN_kit_ais.yaml"
    words = ["cost", "--config-file", config, "--size", "64", "--depth", "1"]
    assert main([*words, "--measure", "--repeats", "3", "--device", "cpu"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    found = re.fullmatch(
        r"latency ([\d.]+) ms \(median of 3, ([\d.]+) to ([\d.]+)\), [\d.]+ a second; "
        r"peak memory of the process ([\d,]+) MiB; on cpu, \d+ threads",
        line,
    )
    assert found, line
    middle, least, most = map(float, found.groups()[:3])
    assert 0 < least <= middle <= most and int(found[4].replace(",", "")) > 100
    assert main([*words, "--device", "cpu"]) == 2 and "are of --measure" in capsys.readouterr().err


def test_a_mask_head_has_a_mask_a_detection():
    model = config_model("configs/frequency_input/mask_rcnn_R18_FPN_scenes.yaml")
    for proposals, masks in ((3, 3), (301, 300)):  # TEST.DETECTIONS_PER_IMAGE is 300
        cost = measure_cost(model, size=(32, 32), proposals=proposals)
        assert cost.subject == f"32 x 32 pixels, {proposals} proposals, {masks} masks"
        rows, head = cost.rows(), model.roi_heads.mask_head
        products = sum(
            layer.weight.numel() * 14**2 * (4 if layer is head.predictor else 1)
            for layer in head.modules()
            if hasattr(layer, "weight")
        )
        assert rows["roi_heads.mask_head"] == (
            sum(p.numel() for p in head.parameters()),
            products * masks,
        )


def test_grid_rcnn_has_a_grid_a_detection():
    """1.133 billion products each, as worked out by hand from the published head, and a sum's."""
    # 9 points add what 24 pairs send, 64 channels of 7 x 7 cells, twice: a product with 0 and 1
    products = 1.133e9 + 2 * 9 * 24 * 64 * 49
    model = config_model("configs/detectors/grid_rcnn_R50_FPN_aitod.yaml", device="meta")
    for proposals in (100, 5000):
        cost = measure_cost(model, size=(64, 64), proposals=proposals)
        grids = min(proposals, 3000)  # TEST.DETECTIONS_PER_IMAGE
        assert cost.subject == f"64 x 64 pixels, {proposals} proposals, {grids} grids"
        parameters, macs = cost.rows()["roi_heads.grid_head"]
        assert parameters == 23_123_145 and macs / grids == pytest.approx(products, abs=5e5)


def test_cascade_rpn_costs_what_two_convolutions_do():
    """3 x 3 over the map each, the adaptive one too, and a 1 x 1 for 9 numbers in all."""
    model = config_model("configs/detectors/cascade_rpn_R50_FPN_aitod.yaml", device="meta")
    cost = measure_cost(model, size=(128, 128), proposals=10)
    cells = sum((128 // stride) ** 2 for stride in (4, 8, 16, 32, 64))
    parameters, macs = cost.rows()["proposal_generator.rpn_head"]
    assert (parameters, macs) == (1_182_217, cells * (2 * 589_824 + 256 * 9))


@pytest.mark.parametrize(
    ("config", "rule", "kept"),
    [
        ("configs/hs_fpn/faster_rcnn_R18_FPN_kit_ais.yaml", "all", 300),
        ("configs/hs_fpn/faster_rcnn_R18_FPN_kit_ais.py", "all", 300),
        ("configs/hs_fpn/faster_rcnn_R18_FPN_kit_ais.yaml", "paper", 1000),
        ("configs/hs_fpn/cascade_rcnn_R50_FPN_aitod.yaml", "all", 3000),
        ("configs/hs_fpn/faster_rcnn_R50_FPN_RFLA_aitod.yaml", "all", 3000),
        ("configs/frequency_input/mask_rcnn_R50_FPN_coco.yaml", "all", 1000),
    ],
)
def test_proposals_are_those_that_the_config_keeps(config, rule, kept):
    model = config_model(config, device="meta")
    cost = measure_cost(model, rule=rule, size=(32, 32))
    masks = ", 100 masks" if "mask" in config else ""
    assert cost.subject == f"32 x 32 pixels, {kept} proposals{masks}"
    heads = [work for name, (_, work) in cost.rows(2).items() if name == "roi_heads.box_predictor"]
    few = measure_cost(model, rule=rule, size=(32, 32), proposals=kept // 100).rows(2)
    assert heads == [100 * few["roi_heads.box_predictor"][1]]


def test_overrides_may_follow_the_size(capsys):
    """Argparse gives --size every word up to the next flag."""
    file = "configs/hs_fpn/faster_rcnn_R18_FPN_kit_ais"
    key = ["MODEL.RPN.POST_NMS_TOPK_TEST", "7"]
    for words in (["--size", "64", *key], ["--size", "64", "96", *key], ["--size", "64", *key[:1]]):
        code = main(["cost", "--config-file", file + ".yaml", *words])
        printed = capsys.readouterr()
        assert code == (0 if words[-1] == "7" else 2)
        height_width = "64 x 96" if "96" in words else "64 x 64"
        said = f"{height_width} pixels, 7 proposals" if code == 0 else "has no value"
        assert said in printed.out + printed.err
    assert (
        main(["cost", "--config-file", file + ".py", "--size", "64", "model.input_format=RGB"]) == 0
    )
    assert main(["cost", "--config-file", file + ".yaml", "--size", "64", "64", "64"]) == 2
    assert "override 64 has no value" in capsys.readouterr().err


def test_lazy_config_costs_the_same():
    yaml, lazy = (config_model(HSFPN.replace(".yaml", end)) for end in (".yaml", ".py"))
    for rule in ("all", "paper"):
        a, b = (measure_cost(m, rule=rule, size=(64, 96), proposals=3) for m in (yaml, lazy))
        assert a == b


def test_errors(capsys):
    with pytest.raises(UserError, match="neither RPN"):
        measure_cost(nn.Linear(2, 2))
    assert main(["cost", "--config-file", "nowhere.yaml"]) == 2
    assert "nowhere.yaml" in capsys.readouterr().err
    assert main(["cost", "--config-file", FPN, "--size", "0"]) == 2


def test_dino_is_counted_by_its_layers():
    cfg = small_config(ENC_LAYERS=1, DEC_LAYERS=1)
    cost = measure_cost(build_model(cfg), size=(64, 96))
    cells = 8 * 12 + 4 * 6 + 2 * 3 + 1 * 2
    # of a layer with 64 channels, 32 inner ones, 4 heads x 4 levels x 2 points
    per_query = 64 * (32 * 2 + 32) + 64 * 64 + 2 * 64 * 32
    encoder = cells * (per_query + 64 * 64)
    assert sum(m for n, m in cost.macs.items() if "encoder" in n) == encoder
    kept = "transformer.decoder.layers.0.attention.values"
    assert cost.macs[kept] == cells * 64 * 64


def test_heads_that_the_decoder_calls_count_as_heads_alone():
    cost = measure_cost(build_model(small_config(ENC_LAYERS=1, DEC_LAYERS=1)), size=(64, 96))
    cells = 8 * 12 + 4 * 6 + 2 * 3 + 1 * 2
    # 20 queries, 64 channels, 4 classes: the encoder's heads, boxes of the chosen cells alone
    of_box = 2 * 64 * 64 + 64 * 4
    assert cost.rows()["transformer.heads"][1] == (cells + 20) * 64 * 4 + 2 * 20 * of_box
    assert "transformer" not in cost.rows()
    assert min(cost.macs.values()) > 0
