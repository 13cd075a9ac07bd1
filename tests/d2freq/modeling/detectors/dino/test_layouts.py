import pytest
import torch
from detectron2.modeling import build_model

from tests.d2freq.modeling.detectors.dino.dino_cases import small_config


def config_R50(layout):
    """DINO 5-scale on ResNet-50 with 8 classes, on device "meta"."""
    cfg = small_config()
    cfg.MODEL.DEVICE = "meta"
    cfg.MODEL.BACKBONE.NAME = "build_resnet_channel_mapper_backbone"
    cfg.MODEL.RESNETS.OUT_FEATURES = ["res2", "res3", "res4", "res5"]
    cfg.MODEL.FPN.IN_FEATURES = cfg.MODEL.RESNETS.OUT_FEATURES
    cfg.MODEL.FPN.OUT_CHANNELS = 256
    usual = {"HIDDEN_DIM": 256, "FFN_DIM": 2048, "NUM_HEADS": 8, "NUM_POINTS": 4}
    usual |= {"ENC_LAYERS": 6, "DEC_LAYERS": 6, "NUM_QUERIES": 900, "NUM_CLASSES": 8}
    usual |= {"IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"], "LAYOUT": layout}
    for key, value in usual.items():
        cfg.MODEL.DINO[key] = value
    return cfg


# Counted by building mmdet's, and from it for the others by their layouts; without the affine
# parameters of batch norms, which are buffers here.
@pytest.mark.parametrize(
    "layout, parameters",
    [("mmdet", 47_863_700), ("detrex", 47_864_980), ("original", 47_213_144)],
)
def test_parameters_are_the_published_ones(layout, parameters):
    with torch.device("meta"):
        model = build_model(config_R50(layout))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_parts_have_the_published_parameters():
    with torch.device("meta"):
        model = build_model(config_R50("mmdet"))

    def count(*modules):
        return sum(p.numel() for module in modules for p in module.parameters())

    neck = [module for name, module in model.backbone.named_children() if "project" in name]
    transformer = model.transformer
    assert count(*neck) == 5_704_192
    assert count(transformer.encoder) == 1_280 + 7_841_088
    assert count(transformer.decoder) == 9_620_800
    assert count(transformer.selection) == 66_304
    assert count(transformer.queries, transformer.labels) == 230_400 + 2_048
    assert count(transformer.heads) == 942_676


def test_single_keys_stand_above_the_layout():
    keys = {"LAYOUT": "original", "SHARED_HEADS": False, "LABEL_ROWS": 5, "NECK_BIAS": False}
    model = build_model(small_config(PE_TEMPERATURE=77.0, PE_OFFSET=-0.25, **keys))
    encoder = model.transformer.encoder
    assert (encoder.temperature, encoder.offset) == (77.0, -0.25)
    assert len(model.transformer.heads.classes) == 3
    assert model.transformer.labels.weight.shape == (5, 64)
    assert model.backbone.project3.bias is None
