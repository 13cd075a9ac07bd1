"""Whether what a command is given is there, asked before torch is imported, which takes seconds."""

import glob
import os

from d2freq.errors import UserError

__all__ = ["present", "present_source", "present_weights"]


def present(path: str | os.PathLike, what: str = "", *, cure: str = "") -> None:
    """Refuse a file or folder that is not there.

    Args:
        what: the option that names it, for the message; "" for a word without one.
        cure: what to give instead.

    Raises:
        UserError: there is none.
    """
    if not os.path.exists(path):
        where = f"{what} {path}" if what else f"{path}"
        raise UserError(f"{where}: no such file or folder{cure and '; '}{cure}")


def present_source(word: str | os.PathLike) -> None:
    """Refuse a source of pictures that is neither a file nor a folder, nor a glob.

    Raises:
        UserError: it is none of them.
    """
    if os.path.islink(word) and not os.path.exists(word):
        target = os.readlink(os.fspath(word))
        raise UserError(
            f"{word}: a link to {target}, which is not there or leads back to itself; correct or "
            "delete it"
        )
    if not os.path.exists(word) and not glob.has_magic(os.fspath(word)):
        raise UserError(
            f"{word}: no such picture, folder or list; a glob needs quotes where the shell has none"
        )


def present_weights(place: str | os.PathLike) -> None:
    """Refuse a checkpoint or an output folder that is not there, where no config is named.

    Raises:
        UserError: there is none.
    """
    if not os.path.exists(place):
        raise UserError(f"{place}: no such checkpoint or output folder")
