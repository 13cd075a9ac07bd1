"""Reading checkpoint files without running the code that a pickle may carry.

torch's own ``weights_only`` reader comes first. What it does not know, such as the numpy arrays
and the configs in Detectron2's checkpoints, goes through an unpickler that finds the names listed
here and no others.
"""

import functools
import io
import os
import pickle
import types
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import torch

__all__ = ["CheckpointError", "UnsafeCheckpointError", "read_checkpoint"]


class CheckpointError(RuntimeError):
    """A checkpoint file that cannot be read; the message names the file and the cure."""


class UnsafeCheckpointError(CheckpointError):
    """A checkpoint file that asks for more than weights and plain data."""


def read_checkpoint(path: str) -> Any:
    """The content of a local ``.pkl`` file (plain pickle) or of any other one (``torch.save``).

    Tensors come on the CPU.

    Raises:
        UnsafeCheckpointError: it asks for code that is no part of a checkpoint; nothing ran.
        CheckpointError: it is cut off or no checkpoint at all.
    """
    is_pickle = path.endswith(".pkl")
    try:
        return _read_pickle(path) if is_pickle else _read_torch(path)
    except UnsafeCheckpointError as error:
        opener = (
            f"pickle.load(open({path!r}, 'rb'), encoding='latin1')"
            if is_pickle
            else f"torch.load({path!r}, weights_only=False)"
        )
        raise UnsafeCheckpointError(
            f"{path} is refused: it asks for {error}, and loading that could run any code. None "
            "of it was run. If you trust whoever made the file, write its weights alone, once, "
            f"and load the new file: torch.save({{'model': {opener}['model']}}, 'weights.pth')"
        ) from error
    except (OSError, MemoryError):
        raise
    except Exception as error:  # what a damaged pickle raises depends on the byte that is missing
        raise CheckpointError(
            f"{path} ({os.path.getsize(path)} bytes) is cut off or no checkpoint "
            f"({type(error).__name__}: {str(error)[:80]}). {_cure(path)}"
        ) from error


def _cure(path: str) -> str:
    others = other_checkpoints(path)
    if not others:
        return "Download or copy it again, or delete it and start anew"
    return (
        f"Download or copy it again, or use the newest one beside it, {others[0]!r}: to resume "
        "from that, write its name into the file 'last_checkpoint' of the same folder"
    )


def other_checkpoints(path: str) -> list[str]:
    """Names of the other ``.pth`` files in the folder of ``path``, newest first."""
    folder, own_name = os.path.split(os.path.abspath(path))
    if not os.path.isdir(folder):
        return []
    names = [name for name in os.listdir(folder) if name.endswith(".pth") and name != own_name]
    return sorted(names, key=lambda n: os.path.getmtime(os.path.join(folder, n)), reverse=True)


def _read_pickle(path: str) -> Any:
    with open(path, "rb") as file:
        # Detectron's older files were pickled by Python 2
        return _RestrictedUnpickler(file, encoding="latin1").load()


def _read_torch(path: str) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        # torch takes any module with an Unpickler; ours is the one that guards here
        reader = types.SimpleNamespace(
            __name__="restricted_pickle",
            Unpickler=_RestrictedUnpickler,
            load=lambda file, **kwargs: _RestrictedUnpickler(file, **kwargs).load(),
        )
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=reader)


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if module == "numpy" and _is_numpy_scalar(name):
            return getattr(np, name)
        for known in (_builders(), _omegaconf_builders()):
            if (module, name) in known:
                return known[module, name]
        raise UnsafeCheckpointError(f"{module}.{name}")


def _is_numpy_scalar(name: str) -> bool:
    found = getattr(np, name, None)
    return isinstance(found, type) and issubclass(found, np.generic)


@functools.cache
def _builders() -> dict[tuple[str, str], Any]:
    """What data, arrays, tensors and configs are made by, under each name that they had."""
    from ..config import CfgNode

    plain = (bool, bytearray, complex, dict, float, frozenset, int, list, set, str, tuple)
    found: dict[tuple[str, str], Any] = {}
    for module in ("builtins", "__builtin__"):  # the latter is Python 2's
        found |= {(module, kind.__name__): kind for kind in plain}
    found |= {("__builtin__", "long"): int, ("__builtin__", "unicode"): str}
    found |= {("collections", t.__name__): t for t in (Counter, OrderedDict, defaultdict, deque)}
    found["_codecs", "encode"] = lambda text, encoding="latin1": text.encode(encoding)

    found |= {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}
    array = np.zeros(1)
    for core in ("numpy.core", "numpy._core"):  # renamed in numpy 2
        found[f"{core}.multiarray", "_reconstruct"] = array.__reduce__()[0]
        found[f"{core}.multiarray", "scalar"] = array[0].__reduce__()[0]
        found[f"{core}.numeric", "_frombuffer"] = array.__reduce_ex__(5)[0]

    for rebuild in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"):
        found["torch._utils", rebuild] = getattr(torch._utils, rebuild)
    found["torch.storage", "_load_from_bytes"] = _load_storage
    found |= {("torch", "Size"): torch.Size, ("torch", "device"): torch.device}

    homes = ("yacs.config", "fvcore.common.config", "detectron2.config.config")
    found |= {(home, "CfgNode"): CfgNode for home in (*homes, CfgNode.__module__)}
    return found


@functools.cache
def _omegaconf_builders() -> dict[tuple[str, str], Any]:
    from omegaconf import base, dictconfig, listconfig, nodes

    kinds = [dictconfig.DictConfig, listconfig.ListConfig, base.ContainerMetadata, base.Metadata]
    kinds += [getattr(nodes, f"{n}Node") for n in ("Any", "Boolean", "Float", "Integer", "String")]
    return {(kind.__module__, kind.__name__): kind for kind in kinds} | {("typing", "Any"): Any}


def _load_storage(data: bytes) -> Any:
    """A tensor's memory in a plain pickle: torch's own function would trust its bytes."""
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
