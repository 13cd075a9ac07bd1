"""Converters from the formats in which data sets are published to COCO files, and back."""
