"""A table of the versions that matter in a report of a problem."""

import importlib.metadata
import os
import platform
import sys

import torch

__all__ = ["collect_env_info"]

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
    rows += [(name, _version(name)) for name in PACKAGES]
    rows.append(("CUDA of torch", torch.version.cuda or "none"))
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            major, minor = torch.cuda.get_device_capability(index)
            rows.append(
                (f"GPU {index}", f"{torch.cuda.get_device_name(index)} (arch {major}.{minor})")
            )
    else:
        rows.append(("GPU", "none: torch.cuda.is_available() is False"))
    return tabulate(rows)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    print(collect_env_info())
