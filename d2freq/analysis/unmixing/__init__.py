"""Figures of unmixing: grids, targets and decoded points of each method."""
