"""Keys of the second stage's classification loss, beside Detectron2's in MODEL.ROI_BOX_HEAD."""

from detectron2.config import CfgNode as CN

from d2freq.errors import UserError

__all__ = ["box_loss_keys", "check_box_loss"]

HEADS = ("D2FreqROIHeads", "D2FreqCascadeROIHeads")  # those that read the keys


def box_loss_keys() -> CN:
    """For MODEL.ROI_HEADS.NAME D2FreqROIHeads and D2FreqCascadeROIHeads."""
    node = CN()
    # "cross_entropy" | "focal": the softmax's cross entropy, or that times (1 - p)^gamma, where p
    # is the probability of the right class, so that what is known already counts less.
    node.CLS_LOSS = "cross_entropy"
    node.FOCAL_GAMMA = 2.0
    # A factor for each class, in the order of the data set; [] for 1 each.
    node.CLASS_WEIGHTS = []
    # The factor of regions without an object.
    node.BACKGROUND_WEIGHT = 1.0
    return node


def check_box_loss(cfg: CN) -> None:
    """Raise UserError where the keys are set and the ROI heads would not read them."""
    name, head = cfg.MODEL.ROI_HEADS.NAME, cfg.MODEL.ROI_BOX_HEAD
    if name in HEADS:
        return
    for key, usual in box_loss_keys().items():
        if head[key] != usual:
            raise UserError(
                f"MODEL.ROI_BOX_HEAD.{key} is {head[key]!r}, which MODEL.ROI_HEADS.NAME {name} "
                f"does not read: set that to {' or '.join(HEADS)}"
            )
