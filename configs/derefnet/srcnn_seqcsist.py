"""Lazy twin of srcnn_seqcsist.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.unmixing import SRCNN
from d2freq.modeling.unmixing.config import q_init_of

from .._base_.seqcsist import dataloader, lr_multiplier, optimizer, train

model = L(SRCNN)(q_init=L(q_init_of)(source="${dataloader.train.dataset.names}"))
train.output_dir = "./output/srcnn_seqcsist"
