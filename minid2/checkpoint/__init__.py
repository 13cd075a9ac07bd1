"""Saving and loading of models, in the formats of Detectron2, Caffe2 Detectron and torchvision."""

from fvcore.common.checkpoint import Checkpointer, PeriodicCheckpointer

from .detection_checkpoint import DetectionCheckpointer
from .reading import CheckpointError, UnsafeCheckpointError

__all__ = [
    "CheckpointError",
    "Checkpointer",
    "DetectionCheckpointer",
    "PeriodicCheckpointer",
    "UnsafeCheckpointError",
]
