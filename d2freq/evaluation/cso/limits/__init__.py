"""What CSO-mAP can reach: on the grid, and between its cells under noise."""

from d2freq.evaluation.cso.limits.bounds import ALL_FRAMES, Knowledge, bound_covariances
from d2freq.evaluation.cso.limits.grid import oracles
from d2freq.evaluation.cso.limits.scores import ORDERS, bound_scores

__all__ = ["ALL_FRAMES", "ORDERS", "Knowledge", "bound_covariances", "bound_scores", "oracles"]
