"""Lazy twin of ista_net_plus_seqcsist.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.unmixing import ISTANetPlus
from d2freq.modeling.unmixing.config import q_init_of

from .._base_.seqcsist import dataloader, lr_multiplier, optimizer, train

model = L(ISTANetPlus)(
    q_init=L(q_init_of)(source="${dataloader.train.dataset.names}"),
    step=0.1165,  # 1 / |Phi|^2; from the published 0.5 it diverges first
)
train.output_dir = "./output/ista_net_plus_seqcsist"
