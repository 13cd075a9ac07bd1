"""A table of the versions that matter in a report of a problem."""

import os
import platform
import sys
from importlib.metadata import version

import torch

PACKAGES = ("torchvision", "numpy", "Pillow", "fvcore", "iopath", "omegaconf", "pycocotools")


def collect_env_info() -> str:
    """Python, torch, the GPUs and the packages in use, as a table of two columns."""
    from tabulate import tabulate

    from .. import __file__ as home
    from .. import __version__

    rows = [
        ("platform", platform.platform()),
        ("Python", sys.version.replace("\n", "")),
        ("minid2 (for Detectron2)", f"{__version__} @{os.path.dirname(home)}"),
        ("torch", f"{torch.__version__} @{os.path.dirname(torch.__file__)}"),
        ("threads", str(torch.get_num_threads())),
    ]
    rows += [(name, version(name)) for name in PACKAGES]
    rows.append(("CUDA of torch", torch.version.cuda or "none"))
    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        rows.append((f"GPU {index}", f"{gpu.name} (arch {gpu.major}.{gpu.minor})"))
    return tabulate(rows)


if __name__ == "__main__":
    print(collect_env_info())
