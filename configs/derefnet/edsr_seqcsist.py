"""Lazy twin of edsr_seqcsist.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.unmixing import EDSR

from .._base_.seqcsist import dataloader, lr_multiplier, optimizer, train

model = L(EDSR)()
train.output_dir = "./output/edsr_seqcsist"
