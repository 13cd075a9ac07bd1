"""Lazy twin of derefnet_seqcsist_small.yaml."""

from .._base_.sgd import multi_step
from .derefnet_seqcsist import dataloader, model, optimizer, train

model.time_encoding = "affine"
dataloader.train.dataset.names = "seqcsist_small_train"
dataloader.test.dataset.names = "seqcsist_small_test"
dataloader.train.total_batch_size = 1
optimizer.lr = 0.001
# an epoch is 200 trajectories / 1 a batch = 200; 4 of them 800, the rate drops behind the 3rd
train.max_iter = 800
train.checkpointer.period = 200
train.eval_period = 200
train.seed = 7
train.output_dir = "./output/derefnet_seqcsist_small"
lr_multiplier = multi_step(max_iter=800, steps=[600], warmup=0)
