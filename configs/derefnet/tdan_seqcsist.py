"""Lazy twin of tdan_seqcsist.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.unmixing import TDAN

from .._base_.seqcsist import dataloader, lr_multiplier, optimizer, train

model = L(TDAN)()
train.output_dir = "./output/tdan_seqcsist"
