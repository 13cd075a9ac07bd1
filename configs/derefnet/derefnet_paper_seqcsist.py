"""Lazy twin of derefnet_paper_seqcsist.yaml."""

from .derefnet_seqcsist import dataloader, lr_multiplier, model, optimizer, train

model.preset = "paper"
train.output_dir = "./output/derefnet_paper_seqcsist"
