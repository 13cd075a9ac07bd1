"""Detections as other tools write them, under the ids of ground truth.

``read_results`` is what ``d2freq evaluate``, ``report`` and ``convert results`` read through.
"""

from d2freq.evaluation.results.read import read_results

__all__ = ["read_results"]
