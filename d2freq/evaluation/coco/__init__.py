"""Detections counted against COCO ground truth by a protocol, guarded and reported."""
