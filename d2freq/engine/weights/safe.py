"""A checkpointer whose files are whole, run no code, and stand in for each other when damaged."""

import io
import logging
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.checkpoint import DetectionCheckpointer

from d2freq.engine.weights.folder import MARKER, fault_of, newest_readable
from d2freq.errors import UserError
from d2freq.utils.files import replacing, write_text

logger = logging.getLogger(__name__)

__all__ = ["SafeCheckpointer"]


class SafeCheckpointer(DetectionCheckpointer):
    """DetectionCheckpointer that nothing is lost with.

    A file is written beside its place, brought to the disk and renamed, so a process killed on the
    way leaves the one before. Checksums are checked before anything is loaded. Resuming takes the
    newest file that can be read, see :func:`newest_readable`. A file that holds code is refused.
    """

    _found: Path | None = None

    def save(self, name: str, **kwargs: Any) -> None:
        """Write model and checkpointables to ``save_dir/name.pth``, then the marker.

        Raises:
            OSError: it cannot be written; the message names the file, and what stood there before
                is untouched.
        """
        if not self.save_dir or not self.save_to_disk:
            return
        if "://" in self.save_dir:
            super().save(name, **kwargs)
            return
        data = {"model": self.model.state_dict()}
        data.update({key: part.state_dict() for key, part in self.checkpointables.items()})
        data.update(kwargs)
        path = Path(self.save_dir) / f"{name}.pth"
        logger.info("Saving checkpoint to %s", path)
        try:
            with replacing(path) as draft:
                with open(draft, "wb") as file:
                    torch.save(data, file)
            self.tag_last_checkpoint(path.name)
            self._found = None
        except (OSError, RuntimeError) as error:  # torch may report a full disk as the latter
            raise OSError(
                f"{path}: could not be written ({_cause(error)}); what stood there before is "
                "untouched"
            ) from error

    def tag_last_checkpoint(self, last_filename_basename: str) -> None:
        """Write the marker, whole or not at all."""
        if "://" in self.save_dir:
            super().tag_last_checkpoint(last_filename_basename)
        else:
            write_text(Path(self.save_dir) / MARKER, last_filename_basename)

    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint to go on from that can be read."""
        return bool(self.get_checkpoint_file())

    def get_checkpoint_file(self) -> str:
        """The newest checkpoint that can be read, "" without one; see newest_readable."""
        if "://" in self.save_dir:
            return super().get_checkpoint_file() if super().has_checkpoint() else ""
        if self._found is None or not self._found.is_file():
            self._found = newest_readable(self.save_dir) if self.save_dir else None
        return str(self._found or "")

    def _load_file(self, filename: str) -> dict[str, Any]:
        fault = None if filename.endswith(".pkl") else fault_of(filename)
        if fault:
            size = Path(filename).stat().st_size
            raise UserError(
                f"checkpoint {filename} ({size} bytes) {fault}. Take another one, or fetch it again"
            )
        try:
            if filename.endswith(".pkl"):
                with open(filename, "rb") as file:
                    _DataAlone(io.BytesIO(file.read()), encoding="latin1").load()
            with torch.serialization.safe_globals(_NUMPY):
                return super()._load_file(filename)
        except Exception as error:
            foreign = _foreign_name(error)
            if foreign is None:
                raise
            raise UserError(
                f"checkpoint {filename} is refused: it holds more than weights ({foreign}), and "
                "reading that could run any code; none was run. If you trust whoever made it, "
                "read it with torch.load(..., weights_only=False) and torch.save its weights alone"
            ) from error


def _cause(error: BaseException) -> str:
    """Why writing failed, as the system says it where it is among the causes."""
    chain: list[BaseException] = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(before)
    reason = next((each.strerror for each in chain if isinstance(each, OSError)), None)
    return reason or str(error).strip().splitlines()[0]


class _DataAlone(pickle.Unpickler):
    """Reads plain data and arrays, and nothing that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"Unsupported global: {module}.{name}")


def _foreign_name(error: BaseException | None) -> str | None:
    """What a refused file asks for, None where the error is another one."""
    while error is not None:
        text = str(error)
        found = re.search(r"(?:GLOBAL|Unsupported global:|asks for) ([\w.]+\w)", text)
        if found and "GLOBAL" not in found[1]:
            return found[1]
        if "Weights only load failed" in text:
            return "code"
        error = error.__cause__ or error.__context__
    return None


_RECONSTRUCT = np.zeros(1).__reduce__()[0]
_SCALAR = np.float64(0).__reduce__()[0]
_NUMPY = [
    np.ndarray,
    np.dtype,
    _RECONSTRUCT,
    _SCALAR,
    *{type(np.dtype(kind)) for kind in "?bBhHiIlLqQefdSU"},
]
_PLAIN = {
    *(
        (f"numpy.{core}.multiarray", n)
        for core in ("core", "_core")
        for n in ("_reconstruct", "scalar")
    ),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    *(("numpy", name) for name in ("ndarray", "dtype", "float64", "float32", "int64", "int32")),
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("_codecs", "encode"),
}
