"""Configuration keys of Grid R-CNN."""

from detectron2.config import CfgNode as CN

__all__ = ["roi_grid_head_keys"]


def roi_grid_head_keys() -> CN:
    """MODEL.ROI_GRID_HEAD: MODEL.ROI_HEADS.NAME GridROIHeads, Grid R-CNN Plus.

    Classes come from MODEL.ROI_BOX_HEAD without its regression, whose BBOX_REG_* and
    CLS_AGNOSTIC_BBOX_REG are without effect. Every default is a published value.
    """
    node = CN()
    # Points of the grid over a region, a square number: 4, 9, 16, ...
    node.NUM_POINTS = 9
    # 3x3 convolutions, the first one of stride 2, and their channels for each point.
    node.NUM_CONV = 8
    node.POINT_CHANNELS = 64
    # Side of a region's features in cells, an even number; a point's map has twice that.
    node.POOLER_RESOLUTION = 14
    # Samples a cell and axis; 0: as many as its size asks for.
    node.POOLER_SAMPLING_RATIO = 0
    # "ROIAlignV2" | "ROIAlign" | "ROIPool"
    node.POOLER_TYPE = "ROIAlignV2"
    # Positive regions are moved by up to this share of their sides in training, and their sides
    # changed by it, so that the head meets regions as far off as those of inference.
    node.JITTER = 0.15
    # Positive regions of a batch that enter the loss, drawn at random.
    node.MAX_SAMPLES = 192
    # A point's target is 1 at cells at most so many cells away from its own: 1 is a cross of 5.
    node.POS_RADIUS = 1
    # Factor of "loss_grid".
    node.LOSS_WEIGHT = 15.0
    # Regions that go through the head at once in inference: 256 take 200 MB.
    node.CHUNK = 256
    return node
