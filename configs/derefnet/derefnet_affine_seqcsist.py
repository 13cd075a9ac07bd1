"""Lazy twin of derefnet_affine_seqcsist.yaml."""

from .derefnet_seqcsist import dataloader, lr_multiplier, model, optimizer, train

model.time_encoding = "affine"
train.output_dir = "./output/derefnet_affine_seqcsist"
