"""Writes every figure of the site into docs/figures.

python docs/scripts/draw_figures.py
"""

from pathlib import Path

from figures import (
    assignment,
    dct_input,
    derefnet,
    evidence,
    hs_fpn,
    protocols,
    set_,
    unmixing,
)

FOLDER = Path(__file__).resolve().parents[1] / "figures"


def all_figures() -> dict[str, str]:
    """Name of the file without its ending -> SVG."""
    modules = (assignment, dct_input, derefnet, evidence, hs_fpn, protocols, set_, unmixing)
    functions = {name: draw for module in modules for name, draw in module.FIGURES.items()}
    return {name: draw().svg() for name, draw in functions.items()}


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in all_figures().items():
        (FOLDER / f"{name}.svg").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
