"""Pages of the site that lie outside docs/, and what becomes of links to files.

A README of configs/ is read where its configs are, and is a page of the site too. On a forge a link
leads to any file of the source tree; the site has pages alone, so a link to another file becomes
the file's name.
"""

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PAGES = {  # file of the source tree: page of the site
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "README.md": "index.md",
    "benchmarks/RESULTS.md": "results.md",
    "benchmarks/gpu.md": "project/gpu.md",
    "configs/README.md": "configs/index.md",
    "configs/derefnet/README.md": "configs/derefnet.md",
    "configs/detectors/README.md": "configs/detectors.md",
    "configs/evidence/README.md": "configs/evidence.md",
    "configs/frequency_input/README.md": "configs/frequency_input.md",
    "configs/frequency_input/classification.md": "configs/classification.md",
    "configs/hs_fpn/README.md": "configs/hs_fpn.md",
    "configs/own_data/README.md": "configs/own_data.md",
    "configs/set/README.md": "configs/set.md",
    "datasets/README.md": "datasets.md",
    "minid2/README.md": "project/minid2.md",
}
LANDING = "index.md"  # docs/index.md stands where README.md stands in the source tree

# a fenced block, a link, or code in a line: whichever begins first, so that code stays as it is
_PART = re.compile(
    r"^(?P<fence>```|~~~).*?^(?P=fence)[^\n]*$"
    r"|(?<!!)\[(?P<words>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)"
    r"|`[^`\n]+`",
    re.MULTILINE | re.DOTALL,
)
_ITEM = re.compile(r"^( *)([-*]|\d+\.) ")


def included() -> dict[str, str]:
    """Page of the site -> text, of every page that lies outside docs/."""
    pages = {page: name for name, page in PAGES.items() if page != LANDING}
    return {page: (ROOT / name).read_text("utf-8") for page, name in pages.items()}


def with_site_links(text: str, page: str) -> str:
    """The text of a page with its links to files made links to pages.

    Args:
        text: Markdown.
        page: its path below docs/, or that of a page of ``PAGES``.
    """
    source = next((name for name, own in PAGES.items() if own == page and page != LANDING), None)
    folder = posixpath.dirname(source or f"docs/{page}")

    def link(match: re.Match[str]) -> str:
        words, target = match.group("words"), match.group("target")
        if target is None or "://" in target or target.startswith(("#", "mailto:")):
            return match.group()
        path, hash_, anchor = target.partition("#")
        file = posixpath.normpath(posixpath.join(folder, path))
        goal = PAGES.get(file)
        if goal is None and file.startswith("docs/"):
            goal = file.removeprefix("docs/")
            if goal.endswith(".ipynb") and not page.startswith("notebooks/"):
                goal = f"{goal.removesuffix('.ipynb')}.md"  # a notebook is a page, too
        if goal is None:
            return words if words.startswith("`") else f"`{file}`"
        relative = posixpath.relpath(goal, posixpath.dirname(page) or ".")
        return f"[{words}]({relative}{hash_}{anchor})"

    return _PART.sub(link, text)


def with_lists_apart(text: str) -> str:
    """A blank line before each list, which Python-Markdown wants and a forge does not."""
    lines: list[str] = []
    fence = in_list = False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fence = not fence
        item = not fence and _ITEM.match(line)
        if item and not in_list and lines and lines[-1].strip():
            lines.append("")
        in_list = bool(item) or (in_list and bool(line.strip()))
        lines.append(line)
    return "\n".join(lines) + "\n"
