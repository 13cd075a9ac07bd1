"""COCO files: read, checked fault by fault, repaired, written."""
