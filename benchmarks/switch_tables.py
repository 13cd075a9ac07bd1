"""Writes the tables of switches into the READMEs of their systems, between the marks.

python benchmarks/switch_tables.py
"""

from common import ROOT

import d2freq  # noqa: F401  makes 'detectron2' importable on either host
from d2freq.modeling import derefnet, hs_fpn

TABLES = {
    "configs/derefnet/README.md": derefnet.Switches,
    "configs/hs_fpn/README.md": hs_fpn.Switches,
}
START = "<!-- switches, written by python benchmarks/switch_tables.py -->\n"
END = "\n<!-- end of switches -->"


def with_table(text: str, table: str) -> str:
    """The text with the table between its marks."""
    before, rest = text.split(START)
    return before + START + table + END + rest.split(END)[1]


def main() -> None:
    """Rewrite both files."""
    for name, switches in TABLES.items():
        file = ROOT / name
        file.write_text(with_table(file.read_text(), switches.table()))


if __name__ == "__main__":
    main()
