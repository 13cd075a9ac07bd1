"""Lazy twin of ista_seqcsist.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.unmixing import ISTA

from .._base_.seqcsist import dataloader, lr_multiplier, optimizer, train

model = L(ISTA)()
train.output_dir = "./output/ista_seqcsist"
