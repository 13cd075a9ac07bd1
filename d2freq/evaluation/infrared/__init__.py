"""Infrared small targets on maps of pixels: IoU, nIoU, Pd and Fa."""
