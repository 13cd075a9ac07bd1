"""SET around a detector; in YAML MODEL.META_ARCHITECTURE and MODEL.SET.DETECTOR say it."""

from detectron2.config import LazyCall as L

from d2freq.modeling.set import SET


def with_set(detector):
    """The detector within SET; single switches are its arguments: ``model.rho = 2.0``."""
    return L(SET)(detector=detector)
