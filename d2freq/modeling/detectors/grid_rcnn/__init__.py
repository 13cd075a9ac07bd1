"""Grid R-CNN: boxes from a grid of points in each region, in the place of a regression."""

from d2freq.modeling.detectors.grid_rcnn.box_scores import BoxScoreLayer
from d2freq.modeling.detectors.grid_rcnn.grid import PointGrid, decode_grid, grid_targets
from d2freq.modeling.detectors.grid_rcnn.head import GridHead
from d2freq.modeling.detectors.grid_rcnn.roi_heads import GridROIHeads

__all__ = ["BoxScoreLayer", "GridHead", "GridROIHeads", "PointGrid", "decode_grid", "grid_targets"]
