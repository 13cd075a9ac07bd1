"""Tensor maths of d2freq; nothing here imports more than torch."""
