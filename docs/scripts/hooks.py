"""What mkdocs calls while it builds the site: pages that are generated, links, lists, formulas."""

from pathlib import Path
from typing import Any

import command_reference
import config_reference
from formulas import with_mathml
from mkdocs.structure.files import File, Files
from notebook_page import as_markdown
from outside_pages import included, with_lists_apart, with_site_links

DOCS = Path(__file__).resolve().parents[1]
REFERENCE = {  # page: title, what stands on top, and the nodes that it shows
    "training": (
        "Configuration: training",
        "Keys of d2freq's trainer. What they do together: [Training](../../training.md).",
        ("D2FREQ", "DATALOADER", "SOLVER"),
    ),
    "data": (
        "Configuration: input and evaluation",
        "What happens between a data set and the model, and how detections are measured.",
        ("INPUT", "TEST"),
    ),
    "model": (
        "Configuration: models",
        "Keys of the systems, detectors, necks and label assignments below `MODEL`.",
        ("MODEL",),
    ),
}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that have no file below docs/."""
    sections = config_reference.sections()
    for name, (title, about, nodes) in REFERENCE.items():
        chosen = [each for each in sections if each.path.partition(".")[0] in nodes]
        text = config_reference.page(title, f"{about} {_ADDED}", chosen)
        files.append(_generated(config, f"reference/config/{name}.md", text))
    files.append(_generated(config, "reference/commands.md", command_reference.page()))
    for page, text in included().items():
        files.append(_generated(config, page, text))
    for notebook in sorted((DOCS / "notebooks").glob("*.ipynb")):
        text = as_markdown(notebook.read_text("utf-8"), file_name=notebook.name)
        files.append(_generated(config, f"notebooks/{notebook.stem}.md", text))
    return files


_ADDED = (
    "`d2freq.add_d2freq_config(cfg)` adds these keys to a config of Detectron2; Detectron2's own "
    "keys keep their meaning and are not repeated here."
)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links to files of the source tree become links to pages; lists get their blank line."""
    return with_lists_apart(with_site_links(markdown, page.file.src_uri))


def on_page_content(html: str, **_: Any) -> str:
    """Formulas become MathML."""
    return with_mathml(html)


def _generated(config: Any, page: str, text: str) -> File:
    return File.generated(config, page, content=text)
