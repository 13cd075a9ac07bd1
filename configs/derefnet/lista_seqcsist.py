"""Lazy twin of lista_seqcsist.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.unmixing import LISTA
from d2freq.modeling.unmixing.config import q_init_of

from .._base_.seqcsist import dataloader, lr_multiplier, optimizer, train

model = L(LISTA)(q_init=L(q_init_of)(source="${dataloader.train.dataset.names}"))
train.output_dir = "./output/lista_seqcsist"
