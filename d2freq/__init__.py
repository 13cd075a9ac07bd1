"""d2freq: tiny-object detection in the frequency domain, an extension of Detectron2.

Importing the package chooses the host (an installed Detectron2, or the subset ``minid2`` where
there is none) and registers every backbone, dataset and meta-architecture of d2freq with it.
"""

__version__ = "0.2.0"

import warnings

from d2freq.former_names import answer_to_former_names
from d2freq.host import choose_host, describe_host

HOST = choose_host()
answer_to_former_names()

with warnings.catch_warnings():
    # fvcore scripts its focal loss on import, which newer torch calls deprecated: not our users'
    # concern, and it would stand on top of every command.
    warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
    # These import detectron2, so the host has to stand first; importing registers.
    from d2freq import data, modeling  # noqa: F401
    from d2freq.config import add_d2freq_config

__all__ = ["HOST", "__version__", "add_d2freq_config", "describe_host"]
