"""Backbones: ResNet and the feature pyramid on top of it."""

from .backbone import Backbone
from .build import BACKBONE_REGISTRY, build_backbone
from .fpn import FPN
from .resnet import BasicStem, BottleneckBlock, ResNet, build_resnet_backbone, make_stage
