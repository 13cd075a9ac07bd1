"""Lazy twin of derefnet_seqcsist_dense.yaml."""

from .derefnet_seqcsist import dataloader, lr_multiplier, model, optimizer, train

dataloader.train.dataset.names = "seqcsist_dense_train"
dataloader.test.dataset.names = "seqcsist_dense_test"
train.output_dir = "./output/derefnet_seqcsist_dense"
