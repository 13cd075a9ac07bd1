"""The checkpoints in a run's folder: which is the newest that can be read."""

import logging
import os
import pickle
import re
import zipfile
from pathlib import Path

import torch

from d2freq.errors import UserError

logger = logging.getLogger(__name__)

__all__ = ["FINAL", "MARKER", "checkpoints", "clear", "fault_of", "newest_readable", "periodic"]

MARKER = "last_checkpoint"  # Detectron2's: the name of the file saved last
FINAL = "model_final.pth"
BEST = "model_best.pth"
PERIODIC = re.compile(r"model_(\d+)\.pth")


def periodic(folder: str | os.PathLike) -> list[Path]:
    """The periodic checkpoints, ``model_0000099.pth``, in the order of their iterations."""
    found = _by_iteration(Path(folder))
    return [path for _, path in sorted(found.items())]


def checkpoints(folder: str | os.PathLike) -> list[Path]:
    """What a training has saved: the furthest that it can go on from first, the best one last."""
    folder = Path(folder)
    found = _by_iteration(folder)
    order = [path for _, path in sorted(found.items(), reverse=True)]
    final = folder / FINAL
    if final.is_file():
        # it has no number, and where a finished training was prolonged it is not the furthest
        reached = _iteration_in(final)
        place = 0 if reached is None else sum(number > reached for number in found)
        order.insert(place, final)
    return order + [path for path in (folder / BEST,) if path.is_file()]


def newest_readable(folder: str | os.PathLike, *, quiet: bool = False) -> Path | None:
    """The checkpoint to go on from: what the marker names, else the furthest that can be read.

    Every file that is passed over is named in a warning with its fault, unless ``quiet``. None
    where there is none. The best weights, ``model_best.pth``, count where the marker names them:
    without optimizer and schedule a training would begin anew, at its first iteration.

    Raises:
        UserError: there are checkpoints, or a marker, and none of them can be gone on from.
    """
    say = logger.debug if quiet else logger.warning
    folder = Path(folder)
    marked, complaint = _marked(folder)
    others = [path for path in checkpoints(folder) if path != marked and path.name != BEST]
    for path in ([marked] if marked else []) + others:
        fault = fault_of(path)
        if fault is None:
            if complaint:
                say("%s; going on from %s, the newest that can be read", complaint, path)
            return path
        say("checkpoint %s is passed over: it %s", path, fault)
        complaint = complaint or f"checkpoint {path} {fault}"
    if complaint:
        best = folder / BEST
        anew = f" from the best weights, {best}, in another folder," if best.is_file() else ""
        raise UserError(
            f"{complaint}, and {folder} holds no other checkpoint that can be read, to go on from: "
            f"copy one back, or start anew{anew} without --resume, with --overwrite"
        )
    return None


def fault_of(path: str | os.PathLike) -> str | None:
    """Why a file cannot be gone on from, None where it can: "is empty", "is cut off", ...

    torch reads flipped bits without a word; the checksums of the zip file that it writes find them.
    """
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            return "is empty"
        if not zipfile.is_zipfile(path):
            return _fault_without_checksums(path)
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except FileNotFoundError:
        return "is not there"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    except (zipfile.BadZipFile, RuntimeError, EOFError, ValueError, NotImplementedError) as error:
        return f"is damaged ({error})"
    return f"is damaged: the checksum of its part {broken} is wrong" if broken else None


def clear(folder: str | os.PathLike, *, keep: str = "") -> list[str]:
    """Delete what a former run left to be gone on from, for one that starts anew.

    Its checkpoints and averages, the marker, and ``metrics.json`` and TensorBoard's files, to which
    the new run would append.

    Args:
        keep: a checkpoint to start from, which stays.

    Returns:
        The names of what was deleted.
    """
    folder = Path(folder)
    stays = os.path.realpath(keep) if keep else ""
    names = [*checkpoints(folder), folder / MARKER, folder / "model_ema.pth"]
    names += [folder / "metrics.json", *folder.glob("events.out.tfevents.*")]
    gone = [path for path in names if path.is_file() and os.path.realpath(path) != stays]
    for path in gone:
        path.unlink()
    return [path.name for path in gone]


def _by_iteration(folder: Path) -> dict[int, Path]:
    if not folder.is_dir():
        return {}
    found = {int(match[1]): path for path, match in _matches(folder)}
    return {number: path for number, path in found.items() if path.is_file()}


def _matches(folder: Path) -> list[tuple[Path, re.Match]]:
    pairs = [(path, PERIODIC.fullmatch(path.name)) for path in folder.iterdir()]
    return [(path, match) for path, match in pairs if match]


def _marked(folder: Path) -> tuple[Path | None, str]:
    """The file that the marker names, and what is wrong with the marker, "" if nothing is."""
    marker = folder / MARKER
    try:
        text = marker.read_bytes().decode("utf-8").strip()
    except FileNotFoundError:
        return None, f"{marker} is missing" if checkpoints(folder) else ""
    except (OSError, UnicodeDecodeError):
        return None, f"{marker} cannot be read"
    if not text or not text.isprintable():
        return None, f"{marker} is {'damaged' if text else 'empty'}"
    path = folder / text
    if not path.is_file():
        return None, f"{marker} names {text}, which is not there"
    return path, ""


def _iteration_in(path: Path) -> int | None:
    """The iteration that a checkpoint says it is of, without reading its tensors."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        found = content.get("iteration", content.get("trainer", {}).get("iteration"))
    except (OSError, RuntimeError, ValueError, EOFError, AttributeError, pickle.UnpicklingError):
        return None
    return found if isinstance(found, int) else None


def _fault_without_checksums(path: Path) -> str | None:
    """Of a file that torch wrote before version 1.6, or of no checkpoint at all."""
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # plain data that asks for more than weights is for the loader to judge
        return None if "Unsupported global" in str(error) else "is cut off or no checkpoint"
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, IndexError, TypeError):
        return "is cut off or no checkpoint"
    return None
