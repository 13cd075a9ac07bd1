"""Lazy twin of derefnet_seqcsist_small.yaml."""

from .._base_.sgd import multi_step
from .derefnet_seqcsist import dataloader, model, optimizer, train

model.channels = 16
model.stages = 3
model.time_encoding = "affine"
model.init = "ista"
model.train_windows = 1
model.align_weight = 0.001
dataloader.train.dataset.names = "seqcsist_small_train"
dataloader.test.dataset.names = "seqcsist_small_test"
dataloader.train.total_batch_size = 16
optimizer.lr = 0.002
# an epoch is 1000 trajectories / 16 a batch = 62.5; 20 of them 1260, the rate drops behind 15
train.max_iter = 1260
train.checkpointer.period = 315
train.eval_period = 63
train.seed = 7
train.output_dir = "./output/derefnet_seqcsist_small"
lr_multiplier = multi_step(max_iter=1260, steps=[945], warmup=50)
