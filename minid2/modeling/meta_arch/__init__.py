"""Whole detectors: from a list of records to losses or detections."""

from .build import META_ARCH_REGISTRY, build_model
from .dense_detector import DenseDetector
from .fcos import FCOS
from .rcnn import GeneralizedRCNN
from .retinanet import RetinaNet
from .semantic_seg import SEM_SEG_HEADS_REGISTRY, build_sem_seg_head
