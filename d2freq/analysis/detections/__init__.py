"""Detections beside the ground truth: hits, false alarms, misses, and pictures of them."""
