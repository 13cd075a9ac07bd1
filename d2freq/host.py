"""Which Detectron2 the code runs on: the real one, or the subset ``minid2``.

A Detectron2 that Python finds, installed or as a source tree on PYTHONPATH, always wins.
``D2FREQ_HOST`` overrides the choice: ``auto`` (default), ``detectron2`` or ``minid2``. Nothing
else in d2freq asks which host it is on.
"""

import importlib.util
import logging
import os
import sys

HOSTS = ("auto", "detectron2", "minid2")
VARIABLE = "D2FREQ_HOST"
REPOSITORY = "https://github.com/facebookresearch/detectron2"

logger = logging.getLogger(__name__)


def choose_host() -> str:
    """Make ``import detectron2`` work and return the host's name, "detectron2" or "minid2".

    Raises:
        ValueError: ``D2FREQ_HOST`` is none of ``auto``, ``detectron2``, ``minid2``.
        ImportError: ``D2FREQ_HOST=detectron2`` and Detectron2 is not found, or
            ``D2FREQ_HOST=minid2`` and Detectron2 has been imported already.
    """
    wish = os.environ.get(VARIABLE, "auto")
    if wish not in HOSTS:
        raise ValueError(f"{VARIABLE}={wish!r} is unknown; choose one of {', '.join(HOSTS)}")

    import minid2

    if minid2.is_installed_as_detectron2():
        if wish == "detectron2":
            raise ImportError(
                f"{VARIABLE}=detectron2, but minid2 already answers for 'detectron2' in this "
                "process; start a new process and set the variable before the first import"
            )
        return "minid2"
    if wish == "minid2" and "detectron2" in sys.modules:
        raise ImportError(
            f"{VARIABLE}=minid2, but the real Detectron2 has been imported already; "
            "import d2freq before detectron2"
        )
    spec = importlib.util.find_spec("detectron2")
    # A folder without __init__.py, such as a clone in the working directory, is not the package.
    found = spec is not None and spec.origin is not None
    if wish == "detectron2" and not found:
        raise ImportError(
            f"{VARIABLE}=detectron2, but Python does not find Detectron2. Its source tree is "
            f"enough, without a compiler: 'git clone --depth 1 {REPOSITORY} FOLDER', then put "
            f"FOLDER on PYTHONPATH (README, 'The host'); or set {VARIABLE}=minid2"
        )
    if found and wish != "minid2":
        return "detectron2"
    minid2.install_as_detectron2()
    if wish == "auto":
        logger.info("Detectron2 is not found; running on its subset minid2")
    return "minid2"


def describe_host() -> str:
    """The host in words, with version and place, for logs and reports."""
    import detectron2

    place = os.path.dirname(str(detectron2.__file__))
    if detectron2.__name__ == "minid2":
        return f"minid2, a subset of Detectron2 {detectron2.__version__} ({place})"
    return f"Detectron2 {detectron2.__version__} ({place})"
