"""FISTA: ISTA with momentum, to the same minimum in far fewer iterations."""

from detectron2.modeling import META_ARCH_REGISTRY

from d2freq.modeling.unmixing.ista import ISTA

__all__ = ["FISTA"]


@META_ARCH_REGISTRY.register()
class FISTA(ISTA):
    """See :class:`ISTA`, whose keys and arguments it takes."""

    accelerated = True
