"""Losses of detectors in training mode leave no trace: batch norms, normalisers, random state."""

import random

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from torch import nn

import d2freq
from d2freq.engine.hooks.validation_loss import mean_losses
from d2freq.engine.untouched import untouched

# ruff: noqa: NPY002 - the global generator is the one that augmentations draw from

WORDS = """MODEL.DEVICE cpu MODEL.RESNETS.DEPTH 18 MODEL.RESNETS.RES2_OUT_CHANNELS 64
MODEL.RESNETS.NORM BN MODEL.BACKBONE.FREEZE_AT 0 MODEL.FPN.OUT_CHANNELS 16
MODEL.RPN.PRE_NMS_TOPK_TRAIN 50 MODEL.RPN.POST_NMS_TOPK_TRAIN 20
MODEL.ROI_HEADS.NUM_CLASSES 3 MODEL.RETINANET.NUM_CLASSES 3 MODEL.FCOS.NUM_CLASSES 3""".split()
FASTER = """MODEL.BACKBONE.NAME build_resnet_fpn_backbone MODEL.PROPOSAL_GENERATOR.NAME RPN
MODEL.RESNETS.OUT_FEATURES ['res2','res3','res4','res5']
MODEL.FPN.IN_FEATURES ['res2','res3','res4','res5']
MODEL.RPN.IN_FEATURES ['p2','p3','p4','p5','p6']
MODEL.ANCHOR_GENERATOR.SIZES [[4],[8],[16],[32],[64]]
MODEL.ROI_HEADS.NAME StandardROIHeads MODEL.ROI_HEADS.IN_FEATURES ['p2','p3','p4','p5']
MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE 8
MODEL.ROI_BOX_HEAD.NAME FastRCNNConvFCHead MODEL.ROI_BOX_HEAD.NUM_FC 1
MODEL.ROI_BOX_HEAD.FC_DIM 16
MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION 3""".split()
RETINA = """MODEL.META_ARCHITECTURE RetinaNet
MODEL.BACKBONE.NAME build_retinanet_resnet_fpn_backbone
MODEL.RESNETS.OUT_FEATURES ['res3','res4','res5'] MODEL.FPN.IN_FEATURES ['res3','res4','res5']
MODEL.ANCHOR_GENERATOR.SIZES [[16],[32],[64],[128],[256]]""".split()
KINDS = {
    "faster_rcnn": FASTER,
    "retinanet": RETINA,
    "set": [*RETINA, *"MODEL.META_ARCHITECTURE SET MODEL.SET.DETECTOR RetinaNet".split()],
}


def model_of(kind):
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.merge_from_list([*WORDS, *KINDS[kind]])
    torch.manual_seed(0)
    return build_model(cfg).train()


def record():
    truth = Instances((64, 64))
    truth.gt_boxes = Boxes(torch.tensor([[10.0, 12, 30, 28], [40, 40, 60, 62]]))
    truth.gt_classes = torch.tensor([0, 2])
    image = torch.randint(0, 255, (3, 64, 64), dtype=torch.uint8)
    return {"image": image, "height": 64, "width": 64, "instances": truth}


def traces(model):
    """All that a training goes on from."""
    plain = {
        f"{name}.{key}": float(value)
        for name, module in model.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, (int, float, torch.Tensor))
        and not key.startswith("_")
        and (not isinstance(value, torch.Tensor) or value.numel() == 1)
    }
    state = {name: value.clone() for name, value in model.state_dict().items()}
    draws = random.random(), np.random.rand(), float(torch.rand(1))
    return plain, state, draws


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_look_leaves_no_trace(kind):
    model, batches = model_of(kind), [[record()], [record()]]
    model.eval()
    model.train()
    generators = random.getstate(), np.random.get_state(), torch.get_rng_state()
    before = traces(model)
    random.setstate(generators[0])
    np.random.set_state(generators[1])
    torch.set_rng_state(generators[2])
    with untouched(model) as looked:
        first = mean_losses(looked, batches)
        assert not any(m.training for m in looked.modules() if isinstance(m, nn.BatchNorm2d))
    after = traces(model)
    assert before[0] == after[0] and before[2] == after[2]
    assert all(torch.equal(before[1][name], after[1][name]) for name in before[1])
    assert all(p.grad is None for p in model.parameters()) and model.training
    with untouched(model) as looked:
        assert mean_losses(looked, batches) == first, "the same weights have the same loss"
    assert first["total_loss"] == pytest.approx(
        sum(value for name, value in first.items() if name != "total_loss")
    )


def test_it_cleans_up_behind_an_error_too():
    model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match="no"), untouched(model):
        torch.rand(3)
        raise ValueError("no")
    assert torch.equal(torch.get_rng_state(), state) and model[0].training and model[1].training


def test_the_mean_is_over_records_not_batches():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, batch):
            return {"loss_a": self.weight * sum(batch) / len(batch), "loss_b": self.weight * 2}

    losses = mean_losses(Model(), [[1.0, 2.0, 3.0], [10.0]])
    assert losses == {"loss_a": 4.0, "loss_b": 2.0, "total_loss": 6.0}
