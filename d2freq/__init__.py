"""d2freq: tiny-object detection in the frequency domain, an extension of Detectron2.

Importing the package chooses the host (an installed Detectron2, or the subset ``minid2`` where
there is none) and registers every backbone, dataset and meta-architecture of d2freq with it. The
command ``d2freq`` alone does so later, when it has read its words; see :func:`register`.
"""

__version__ = "0.2.0"

import sys
import warnings
from collections.abc import Callable
from typing import Any

from d2freq.former_names import answer_to_former_names
from d2freq.host import choose_host, describe_host

HOST: str
add_d2freq_config: Callable[[Any], None]

__all__ = ["HOST", "__version__", "add_d2freq_config", "describe_host", "register"]


def register() -> None:
    """Choose the host and register all of d2freq with it. A second call does nothing.

    Raises:
        ValueError, ImportError: as :func:`d2freq.host.choose_host`.
    """
    global HOST, add_d2freq_config
    if "HOST" in globals():
        return
    HOST = choose_host()
    answer_to_former_names()
    with warnings.catch_warnings():
        # fvcore scripts its focal loss on import, which newer torch calls deprecated: not our
        # users' concern, and it would stand on top of every command.
        warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
        # These import detectron2, so the host has to stand first; importing registers.
        from d2freq import modeling  # noqa: F401
        from d2freq.config import add_d2freq_config as adding
        from d2freq.data.register import register_data
        from d2freq.idle_keys import tell_idle_keys
        from d2freq.modeling.registration import watch_builds

    register_data()
    watch_builds(tell_idle_keys)
    add_d2freq_config = adding


def __getattr__(name: str) -> Any:
    # of a package that the command has imported unregistered
    if name in ("HOST", "add_d2freq_config"):
        register()
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if not getattr(sys.modules.get("d2freq_command"), "reading", False):
    register()
