"""Lazy twin of espcn_seqcsist.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.unmixing import ESPCN

from .._base_.seqcsist import dataloader, lr_multiplier, optimizer, train

model = L(ESPCN)()
train.output_dir = "./output/espcn_seqcsist"
