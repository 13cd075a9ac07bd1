"""Reading checkpoint files without running the code that a pickle may carry.

torch's own ``weights_only`` reader comes first. What it does not know, such as the numpy arrays
in Detectron2's checkpoints, goes through an unpickler that finds the names listed here and no
others.
"""

import os
import pickle
import types
from collections import Counter, OrderedDict, defaultdict
from typing import Any

import numpy as np
import torch


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
    try:
        if not path.endswith(".pkl"):
            return _read_torch(path)
        with open(path, "rb") as file:
            # Caffe2's files were pickled by Python 2
            return _RestrictedUnpickler(file, encoding="latin1").load()
    except UnsafeCheckpointError as error:
        raise UnsafeCheckpointError(
            f"{path} is refused: it asks for {error}, and loading that could run any code. None "
            "of it was run. If you trust whoever made the file, load it with pickle or "
            "torch.load(weights_only=False), and torch.save its weights alone."
        ) from error
    except OSError:
        raise
    except Exception as error:  # what a damaged pickle raises depends on the byte that is missing
        others = other_checkpoints(path)
        cure = "Download or copy it again, or "
        if others:
            cure += (
                f"use the newest one beside it, {others[0]!r}: to resume from that, write its "
                "name into the file 'last_checkpoint' of the same folder"
            )
        else:
            cure += "delete it and start anew"
        raise CheckpointError(
            f"{path} ({os.path.getsize(path)} bytes) is cut off or no checkpoint "
            f"({type(error).__name__}: {str(error)[:80]}). {cure}"
        ) from error


def other_checkpoints(path: str) -> list[str]:
    """Names of the other ``.pth`` files in the folder of ``path``, newest first."""
    folder, own_name = os.path.split(os.path.abspath(path))
    if not os.path.isdir(folder):
        return []
    names = [name for name in os.listdir(folder) if name.endswith(".pth") and name != own_name]
    return sorted(names, key=lambda n: os.path.getmtime(os.path.join(folder, n)), reverse=True)


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
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        kind = getattr(np, name, None) if module == "numpy" else None
        if isinstance(kind, type) and issubclass(kind, np.generic):
            return kind
        raise UnsafeCheckpointError(f"{module}.{name}")


# What data, arrays and tensors are made by, under each name that they had.
_KNOWN: dict[tuple[str, str], Any] = {
    **{("builtins", kind.__name__): kind for kind in (bytearray, complex, frozenset, set)},
    **{("collections", kind.__name__): kind for kind in (Counter, OrderedDict, defaultdict)},
    ("_codecs", "encode"): lambda text, encoding="latin1": text.encode(encoding),
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
}
for _core in ("numpy.core", "numpy._core"):  # renamed in numpy 2
    _KNOWN[f"{_core}.multiarray", "_reconstruct"] = np.zeros(1).__reduce__()[0]
    _KNOWN[f"{_core}.multiarray", "scalar"] = np.float64(0).__reduce__()[0]
    _KNOWN[f"{_core}.numeric", "_frombuffer"] = np.zeros(1).__reduce_ex__(5)[0]
