"""What Detectron2's ``model_zoo`` lacks where its source tree runs uncompiled, and the cure."""

from pathlib import Path

import detectron2

__all__ = ["cure_of_model_zoo"]


def cure_of_model_zoo(error: Exception) -> str:
    """In one line, what to do about an error that using ``detectron2.model_zoo`` ended in.

    Returns:
        "" where the error has another reason.
    """
    if isinstance(error, ModuleNotFoundError) and error.name == "pkg_resources":
        return (
            "detectron2.model_zoo imports pkg_resources, which setuptools has no longer from 82 "
            "on: pip install 'setuptools<82'"
        )
    folder = Path(str(detectron2.__file__)).parent / "model_zoo"
    if "not available in Model Zoo" in str(error) and not (folder / "configs").exists():
        return (
            "detectron2.model_zoo finds its configs where setup.py puts them: "
            f"ln -s ../../configs {folder / 'configs'}"
        )
    return ""
