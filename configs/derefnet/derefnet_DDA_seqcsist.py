"""Lazy twin of derefnet_DDA_seqcsist.yaml."""

from .derefnet_seqcsist import dataloader, lr_multiplier, model, optimizer, train

model.stages = 8
model.time_encoding = "none"
train.output_dir = "./output/derefnet_DDA_seqcsist"
