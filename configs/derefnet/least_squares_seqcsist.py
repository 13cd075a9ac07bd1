"""Lazy twin of least_squares_seqcsist.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.unmixing import LeastSquares
from d2freq.modeling.unmixing.config import q_init_of

from .._base_.seqcsist import dataloader, lr_multiplier, optimizer, train

model = L(LeastSquares)(q_init=L(q_init_of)(source="${dataloader.train.dataset.names}"))
train.output_dir = "./output/least_squares_seqcsist"
