"""Lazy twin of seqcsist.yaml: loaders, evaluator, schedule and training; a config has the model."""

from detectron2.config import LazyCall as L
from detectron2.data import build_detection_test_loader, get_detection_dataset_dicts
from detectron2.solver.build import get_default_optimizer_params
from torch.optim import Adam

from d2freq.data.build import build_seeded_train_loader
from d2freq.data.seqcsist import SequenceMapper
from d2freq.evaluation.cso.evaluator import CSOEvaluator

from .sgd import multi_step
from .train import train

dataloader = dict(
    train=L(build_seeded_train_loader)(
        dataset=L(get_detection_dataset_dicts)(names="seqcsist_train", filter_empty=False),
        mapper=L(SequenceMapper)(is_train=True, noise=0.0),
        seed="${train.seed}",
        # four trajectories of 20 frames a step, as the published command with its four GPUs
        total_batch_size=4,
        aspect_ratio_grouping=False,
        num_workers=4,
    ),
    test=L(build_detection_test_loader)(
        dataset=L(get_detection_dataset_dicts)(names="seqcsist_test", filter_empty=False),
        mapper=L(SequenceMapper)(is_train=False, noise="${dataloader.train.mapper.noise}"),
        num_workers=4,
    ),
    evaluator=L(CSOEvaluator)(
        dataset_name="${..test.dataset.names}", output_dir=None, threshold=70.0
    ),
)
optimizer = L(Adam)(
    # train_net.py sets params.model
    params=L(get_default_optimizer_params)(weight_decay_norm=0.0),
    lr=1e-4,
    weight_decay=1e-5,  # added to the gradient; in the published code alone
)
# an epoch is 3500 trajectories / 4 a batch = 875; 100 of them 87500, at a constant rate
train.max_iter = 87500
train.checkpointer.period = 8750
train.eval_period = 8750  # every 10 epochs
lr_multiplier = multi_step(max_iter=87500, steps=[], warmup=0)
