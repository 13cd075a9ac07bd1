"""Keys of the second stage's losses, beside Detectron2's in MODEL.ROI_BOX_HEAD and of cascades."""

from detectron2.config import CfgNode as CN

from d2freq.errors import UserError

__all__ = ["box_loss_keys", "cascade_loss_keys", "check_box_loss", "unread"]

CASCADE = "D2FreqCascadeROIHeads"
HEADS = ("D2FreqROIHeads", CASCADE)  # those that read the keys


def box_loss_keys() -> CN:
    """For MODEL.ROI_HEADS.NAME D2FreqROIHeads and D2FreqCascadeROIHeads."""
    node = CN()
    # "cross_entropy" | "focal": the softmax's cross entropy, or that times (1 - p)^gamma, where p
    # is the probability of the right class, so that what is known already counts less.
    node.CLS_LOSS = "cross_entropy"
    # Factor of "loss_cls" beside the other losses. 1.5 in the published Cascade RPN.
    node.CLS_LOSS_WEIGHT = 1.0
    # Power of (1 - p) with CLS_LOSS "focal"; 0 would be the cross entropy.
    node.FOCAL_GAMMA = 2.0
    # A factor for each class, in the order of the data set; [] for 1 each.
    node.CLASS_WEIGHTS = []
    # The factor of regions without an object.
    node.BACKGROUND_WEIGHT = 1.0
    return node


def cascade_loss_keys() -> CN:
    """For MODEL.ROI_HEADS.NAME D2FreqCascadeROIHeads."""
    node = CN()
    # A factor for each stage of the cascade, of its classification and of its box loss; [], the
    # default, for 1 each. [1, 0.5, 0.25] is that of mmdet, and so of published figures.
    node.LOSS_WEIGHTS = []
    return node


def unread(name: str) -> dict[str, tuple[str, ...]]:
    """The nodes whose keys of this file the ROI heads of that name overlook -> who reads them."""
    nodes = {"MODEL.ROI_BOX_HEAD": HEADS, "MODEL.ROI_BOX_CASCADE_HEAD": (CASCADE,)}
    return {node: heads for node, heads in nodes.items() if name not in heads}


def check_box_loss(cfg: CN) -> None:
    """Raise UserError where the keys are set and the ROI heads would not read them."""
    name = cfg.MODEL.ROI_HEADS.NAME
    keys = {"ROI_BOX_HEAD": box_loss_keys(), "ROI_BOX_CASCADE_HEAD": cascade_loss_keys()}
    for node, heads in unread(name).items():
        part = node.removeprefix("MODEL.")
        for key, usual in keys[part].items():
            value = cfg.MODEL[part][key]
            if list(value) != usual if isinstance(usual, list) else value != usual:
                raise UserError(
                    f"{node}.{key} is {value!r}, which MODEL.ROI_HEADS.NAME {name} does not read: "
                    f"set that to {' or '.join(heads)}"
                )
