"""Models of d2freq; importing the package registers them with the host."""

from d2freq.modeling import assignment, backbones, fcos, hs_fpn, set

__all__ = ["assignment", "backbones", "fcos", "hs_fpn", "set"]
