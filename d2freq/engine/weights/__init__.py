"""Checkpoints, refused where they do not fit, and read across from other networks."""
