"""Lazy twin of usrnet_seqcsist.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.unmixing import USRNet

from .._base_.seqcsist import dataloader, lr_multiplier, optimizer, train

model = L(USRNet)()
train.output_dir = "./output/usrnet_seqcsist"
