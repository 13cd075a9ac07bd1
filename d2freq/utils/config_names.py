"""Configs of d2freq by name, from a source tree and from an installed wheel.

A name is the path below ``configs/``: "hs_fpn/faster_rcnn_R50_HSFPN_aitod". It stands for the YAML
file where there is a lazy twin too; with ``.py`` behind it for the twin.
"""

import os
from functools import cache
from pathlib import Path

from d2freq.errors import UserError
from d2freq.utils.choices import did_you_mean

__all__ = ["BASES", "ENDINGS", "config_names", "configs_folder", "find_config"]

ENDINGS = (".yaml", ".yml", ".py")
BASES = "_base_"  # the folder of what configs are made of; none is trained as it is


@cache
def configs_folder() -> Path:
    """Where the configs of d2freq lie: within the package of a wheel, beside it in a source tree.

    Raises:
        UserError: they are in neither place.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / BASES).is_dir():
            return folder
    raise UserError(f"{package} has no configs, neither within nor beside it: install d2freq again")


def config_names(*, lazy: bool = False) -> list[str]:
    """The names of all configs that can be trained or measured, sorted, each once.

    Args:
        lazy: only those with a lazy form.
    """
    wanted = (".py",) if lazy else ENDINGS
    folder = configs_folder()
    files = [file.relative_to(folder) for file in folder.glob("*/*") if file.suffix in wanted]
    return sorted({f.with_suffix("").as_posix() for f in files if f.parts[0] != BASES})


def find_config(name: str) -> str:
    """The file of a config: ``name`` itself where it is one, else that of d2freq's config.

    Args:
        name: a file, or a name: with or without its ending and ``configs/`` in front.

    Raises:
        UserError: no file, and no name that d2freq knows.
    """
    if os.path.isfile(name):
        return name
    short = Path(name).as_posix().removeprefix("configs/")
    stem, ending = os.path.splitext(short)
    if ending not in ENDINGS:
        stem, ending = short, ""
    if not Path(short).is_absolute() and ".." not in Path(short).parts:
        for file in (configs_folder() / f"{stem}{e}" for e in ([ending] if ending else ENDINGS)):
            if file.is_file():
                return str(file)
    known = config_names(lazy=ending == ".py")
    namesakes = [k for k in known if Path(k).name == Path(stem).name]  # the folder is to blame
    near = did_you_mean(stem, namesakes, n=3, cutoff=0) or did_you_mean(stem, known, n=3)
    cure = near or "; `d2freq configs` lists them"
    raise UserError(f"{name}: no such config file, nor a config of d2freq{cure}")
