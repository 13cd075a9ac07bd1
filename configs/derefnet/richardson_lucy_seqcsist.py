"""Lazy twin of richardson_lucy_seqcsist.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.unmixing import RichardsonLucy

from .._base_.seqcsist import dataloader, lr_multiplier, optimizer, train

model = L(RichardsonLucy)()
train.output_dir = "./output/richardson_lucy_seqcsist"
