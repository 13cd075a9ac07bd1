"""Saving and loading of models, in the formats of Detectron2 and Caffe2's ResNets."""

from fvcore.common.checkpoint import Checkpointer, PeriodicCheckpointer

from .detection_checkpoint import DetectionCheckpointer
