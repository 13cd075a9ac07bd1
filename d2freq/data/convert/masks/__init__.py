"""From masks, a picture beside each image, to boxes."""
