"""d2freq: tiny-object detection in the frequency domain, an extension of Detectron2.

Importing the package chooses the host (an installed Detectron2, or the subset ``minid2`` where
there is none) and registers every backbone, dataset and meta-architecture of d2freq with it.
"""

__version__ = "0.1.0"

from d2freq.host import choose_host, describe_host

HOST = choose_host()

# isort: split
# What follows imports detectron2, so the host has to stand first.
from d2freq import data, modeling  # noqa: E402, F401  registers
from d2freq.config import add_d2freq_config  # noqa: E402

__all__ = ["HOST", "__version__", "add_d2freq_config", "describe_host"]
