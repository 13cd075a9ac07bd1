"""Lazy twin of published.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.assignment import MaxIoUAssigner, MaxIoURPN
from d2freq.modeling.backbones import FPN, norm_layer


def with_published(model):
    """The detector on a ResNet with FPN, as the HS-FPN and SET papers' framework trains it.

    To be called first, since ``with_nwd``, ``with_rfla`` and ``with_hsfpn`` change it further.
    """
    model.backbone._target_ = FPN
    model.backbone.lateral_init = "xavier"
    for part in (model.backbone.bottom_up.stem, model.backbone.bottom_up.stages):
        part.norm = L(norm_layer)(name="FrozenStatsBN")
    if "proposal_generator" in model:
        model.proposal_generator.update(
            _target_=MaxIoURPN,
            anchor_matcher=L(MaxIoUAssigner)(
                positive_iou=0.7, negative_iou=0.3, min_positive_iou=0.3
            ),
        )
    return model
