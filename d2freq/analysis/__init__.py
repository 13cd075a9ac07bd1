"""Looking at what a detector does: pictures of its detections, curves of its training."""
