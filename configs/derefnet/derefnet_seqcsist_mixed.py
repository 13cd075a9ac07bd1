"""Lazy twin of derefnet_seqcsist_mixed.yaml."""

from .derefnet_seqcsist import dataloader, lr_multiplier, model, optimizer, train

dataloader.train.dataset.names = "seqcsist_mixed_train"
dataloader.test.dataset.names = "seqcsist_mixed_test"
train.output_dir = "./output/derefnet_seqcsist_mixed"
