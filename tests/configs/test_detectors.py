"""Configs of configs/detectors: their published counts, and what lazy bases make of them."""

import pytest
import torch
from detectron2.config import LazyConfig, instantiate
from detectron2.modeling import build_model

from d2freq.engine import load_yaml
from d2freq.modeling.backbones import FrozenStatsBatchNorm2d

from .config_cases import CONFIGS
from .twin_checks import settings

# Of the published models: parameters, those of fixed layers (stem and res2 of each ResNet), and
# parameters with FrozenBN, Detectron2's usual norm, whose weight and bias are none.
COUNTS = {
    "cascade_rcnn_R50_SAC_FPN_aitod": (84_045_409, 225_344, 83_992_289),
    "cascade_rcnn_R50_SAC_RFP_aitod": (123_672_195, 450_688, 123_565_955),
    "cascade_rcnn_R50_SAC_RFP_NWD_aitod": (123_669_625, 450_688, 123_563_385),
    "cascade_rcnn_R50_SAC_HSFPN_RFLA_aitod": (86_828_641, 225_344, 86_775_521),
}


def built(name, *words):
    cfg = load_yaml(str(CONFIGS / f"detectors/{name}.yaml"), ["MODEL.DEVICE", "meta", *words])
    with torch.device("meta"):
        return build_model(cfg)


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_the_published_ones(name):
    model = built(name)
    total, fixed, without_norms = COUNTS[name]
    assert sum(p.numel() for p in model.parameters()) == total
    assert sum(p.numel() for p in model.parameters() if not p.requires_grad) == fixed
    norms = [m for m in model.modules() if isinstance(m, FrozenStatsBatchNorm2d)]
    assert total - sum(2 * norm.num_features for norm in norms) == without_norms


def test_the_released_neck_and_fixed_norms():
    words = ("MODEL.RESNETS.NORM", "FrozenBN", "MODEL.HSFPN.PRESET", "released")
    model = built("cascade_rcnn_R50_SAC_HSFPN_aitod", *words)
    assert sum(p.numel() for p in model.parameters()) == 86_767_841


@pytest.mark.parametrize("neck", ["RFP", "HSFPN"])
def test_lazy_bases_make_the_models_of_yaml(neck):
    """Of Cascade R-CNN on ResNet-50, which no lazy config of the folder has."""

    def base(file, name):
        return LazyConfig.load(str(CONFIGS / f"_base_/{file}.py"), name)

    model = base("published", "with_published")(base("cascade_rcnn_R50_FPN", "model"))
    model = base("stage_weights", "with_stage_weights")(model)
    if neck == "RFP":
        model = base("detectors", "with_detectors")(model)
    else:
        model = base("hs_fpn", "with_hsfpn")(base("sac", "with_sac")(model))
    model.roi_heads.num_classes = 8
    ours = built(f"cascade_rcnn_R50_SAC_{neck}_aitod")
    with torch.device("meta"):
        theirs = instantiate(model)
    assert [p.loss_weight["loss_cls"] for p in ours.roi_heads.box_predictor] == [1, 0.5, 0.25]
    one, other = settings(ours), settings(theirs)
    # anchors and colours are on the CPU where a model is made by hand
    assert {k for k in one if one[k] != other.get(k)} == set()
    shapes = [{key: v.shape for key, v in m.state_dict().items()} for m in (ours, theirs)]
    assert shapes[0] == shapes[1]
