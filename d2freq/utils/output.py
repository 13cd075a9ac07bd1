"""Whether what a command is to write to can be written, asked before the work that it takes."""

import errno
import os
from pathlib import Path

from d2freq.errors import UserError

__all__ = ["PARTS", "RUN_FILE", "check_output", "refuse_other_run"]

RUN_FILE = "run.json"  # of a finished run of d2freq detect
PARTS = "run.parts"  # of one that is not whole


def check_output(place: str | os.PathLike, what: str, *, folder: bool = False) -> None:
    """Refuse a file or folder to write to that cannot be made.

    Args:
        what: the option that names it, for the message.
        folder: it is to be a folder.

    Raises:
        UserError: it lies below a file, is a file where a folder is wanted, or its folder cannot
            be written to.
    """
    path = Path(place)
    above = [path, *path.parents] if folder else list(path.absolute().parents)
    found = next((each for each in above if _exists(each)), None)
    if found is None:
        return
    if not found.is_dir():
        raise UserError(f"{what} {place}: {found} is a file, not a folder; name another place")
    if not os.access(found, os.W_OK):
        raise UserError(
            f"{what} {place}: nothing can be written into {found}; correct its permissions, or "
            "name another place"
        )


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UserError(f"{path}: is a link that leads back to itself; delete it") from error
        return False
    return True


def refuse_other_run(folder: str | os.PathLike, *, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that holds a run of d2freq detect, where nothing says what to do about it.

    Raises:
        UserError: it holds one; the message says how both stay, and what else there is to do.
    """
    if resume and overwrite:
        raise UserError("--resume goes on with a run, --overwrite starts it anew: take one of them")
    if resume or overwrite:
        return
    if (Path(folder) / RUN_FILE).exists():
        raise UserError(
            f"{folder}: holds a finished run, which stays as it is: name another folder with "
            "--output DIR, or replace it with --overwrite (--resume searches only those of its "
            "pictures again that failed)"
        )
    if (Path(folder) / PARTS).exists():
        raise UserError(
            f"{folder}: holds an interrupted run: go on with --resume, start anew with "
            "--overwrite, or name another folder with --output DIR"
        )
