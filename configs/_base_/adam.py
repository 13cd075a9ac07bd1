"""Adam, as DeRefNet and the methods beside it train (DeRefNet, section 5.1)."""

from detectron2.config import LazyCall as L
from detectron2.solver.build import get_default_optimizer_params
from torch.optim import Adam

optimizer = L(Adam)(
    # train_net.py sets params.model
    params=L(get_default_optimizer_params)(weight_decay_norm=0.0),
    lr=1e-4,
    weight_decay=1e-5,  # added to the gradient; in the published code alone
)
