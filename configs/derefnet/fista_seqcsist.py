"""Lazy twin of fista_seqcsist.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.unmixing import FISTA

from .._base_.seqcsist import dataloader, lr_multiplier, optimizer, train

model = L(FISTA)()
train.output_dir = "./output/fista_seqcsist"
