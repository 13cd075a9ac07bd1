"""Image classification: what the rows on ImageNet of Learning in the Frequency Domain need."""

from d2freq.modeling.classification.meta_arch import ImageClassifier

__all__ = ["ImageClassifier"]
