"""Exports of labelling tools to COCO: a file a tool; shapes.py and records.py are what they share.

Every tool's file becomes records, one an image, and each record's shapes become annotations. What
COCO has no place for is counted under a sentence, which the command prints and the file keeps.
"""
