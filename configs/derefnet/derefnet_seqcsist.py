"""Lazy twin of derefnet_seqcsist.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.derefnet import DeRefNet
from d2freq.modeling.unmixing.config import q_init_of

from .._base_.seqcsist import dataloader, lr_multiplier, optimizer, train

model = L(DeRefNet)(
    q_init=L(q_init_of)(source="${dataloader.train.dataset.names}"), preset="released"
)
train.output_dir = "./output/derefnet_seqcsist"
