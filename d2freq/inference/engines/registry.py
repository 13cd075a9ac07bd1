"""Which engine runs a file: by its name, or by how the file's name ends."""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from d2freq.errors import UserError
from d2freq.inference.engines.exported import ExportedEngine
from d2freq.utils.choices import choice

__all__ = ["FILE_ENGINES", "TORCH", "FileEngine", "engine_of", "load_engine"]

TORCH = "torch"  # runs a config and a checkpoint; all others run a file that d2freq export wrote


@dataclass(frozen=True)
class FileEngine:
    """An engine that runs an exported file.

    Attributes:
        suffixes: of its files, with the dot.
        module: that has ``load(path: str, *, device: str) -> Engine``, imported when first used.
    """

    suffixes: tuple[str, ...]
    module: str


HERE = "d2freq.inference.engines"
FILE_ENGINES: dict[str, FileEngine] = {
    "torchscript": FileEngine((".pt", ".ts"), f"{HERE}.torchscript"),
    "onnx": FileEngine((".onnx",), f"{HERE}.onnx_runtime"),
    "openvino": FileEngine((".xml",), f"{HERE}.openvino_cpu"),
}


def engine_of(path: str | os.PathLike) -> str:
    """The name of the engine that runs a file, "torch" where no other does."""
    suffix = Path(path).suffix.lower()
    for name, engine in FILE_ENGINES.items():
        if suffix in engine.suffixes:
            return name
    return TORCH


def load_engine(
    path: str | os.PathLike, *, engine: str = "", device: str = "cpu"
) -> ExportedEngine:
    """An exported detector, ready to run.

    Args:
        path: the file, or a folder with just one file of that engine.
        engine: a name of FILE_ENGINES; "" goes by the file's ending.

    Raises:
        UserError: no such engine or file, or the package that runs it is missing.
    """
    name = choice(engine or engine_of(path), FILE_ENGINES, key="--engine")
    kind = FILE_ENGINES[name]
    file = Path(path)
    if file.is_dir():
        files = sorted(p for p in file.iterdir() if p.suffix.lower() in kind.suffixes)
        if len(files) != 1:
            raise UserError(
                f"{path}: holds {len(files)} files that end in {' or '.join(kind.suffixes)}; name "
                "one, or write one with 'd2freq export'"
            )
        file = files[0]
    if not file.is_file():
        raise UserError(f"{file}: no such file; 'd2freq export' writes one")
    load: Callable[..., ExportedEngine] = importlib.import_module(kind.module).load
    return load(str(file), device=device)
