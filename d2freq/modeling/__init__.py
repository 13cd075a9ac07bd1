"""Models of d2freq; importing the package registers them with the host."""

from d2freq.modeling import assignment, backbones, hs_fpn

__all__ = ["assignment", "backbones", "hs_fpn"]
