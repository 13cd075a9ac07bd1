"""A trained model on a person's own pictures: sources, tiles, merging, engines, outputs, report."""
