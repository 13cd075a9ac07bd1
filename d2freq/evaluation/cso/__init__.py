"""CSO-mAP, the metric of unmixing closely spaced infrared targets."""
