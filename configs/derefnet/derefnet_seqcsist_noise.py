"""Lazy twin of derefnet_seqcsist_noise.yaml."""

from .derefnet_seqcsist import dataloader, lr_multiplier, model, optimizer, train

dataloader.train.mapper.noise = 2.0  # of the test loader too
train.output_dir = "./output/derefnet_seqcsist_noise"
