"""Models of d2freq; importing the package registers them with the host."""

from d2freq.modeling import hs_fpn

__all__ = ["hs_fpn"]
