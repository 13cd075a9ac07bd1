"""A notebook as a page: its words as they are, its code in fenced blocks."""

import json

__all__ = ["as_markdown"]


def as_markdown(notebook: str, *, file_name: str) -> str:
    """Markdown of a notebook.

    Args:
        notebook: the text of an .ipynb file of format 4.
        file_name: under which readers find the notebook beside the page.
    """
    parts = []
    for cell in json.loads(notebook)["cells"]:
        text = "".join(cell["source"]).strip()
        if cell["cell_type"] == "code":
            text = f"```python\n{text}\n```"
        parts.append(text)
    heading, *rest = parts
    download = f"This page is the notebook [{file_name}]({file_name}): download it and run it."
    return "\n\n".join([heading, download, *rest]) + "\n"
