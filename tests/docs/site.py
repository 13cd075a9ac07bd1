"""Builds the site as ``make docs`` does, and reads its pages."""

import logging
import posixpath
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .pages import ROOT

__all__ = ["Page", "broken_links", "build", "read_pages"]


class Page(HTMLParser):
    """A page's anchors, links, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        for name in ("id", "name"):
            if name in given and tag != "meta":
                self.anchors.add(given[name])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        loaded = given.get("src") or (given.get("href") if tag == "link" else None)
        if loaded:
            self.loads.append(loaded)


def build(folder: Path) -> list[str]:
    """Build the site into a folder, strictly; returns the warnings, which strictness forbids."""
    from mkdocs.commands.build import build as build_site
    from mkdocs.config import load_config

    warnings: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warnings.append(record.getMessage())

    handler = Keep(logging.WARNING)
    logging.getLogger("mkdocs").addHandler(handler)
    try:
        config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder))
        config.plugins.on_startup(command="build", dirty=False)
        build_site(config)
        config.plugins.on_shutdown()
    finally:
        logging.getLogger("mkdocs").removeHandler(handler)
    return warnings


def read_pages(folder: Path) -> dict[str, Page]:
    """Path below the folder -> page."""
    files = sorted(folder.rglob("*.html"))
    return {
        file.relative_to(folder).as_posix(): Page(file.read_text("utf-8"))
        for file in files
        if file.name != "404.html"  # its links are those of a server's root
    }


def broken_links(folder: Path, pages: dict[str, Page]) -> Iterator[str]:
    """Every internal link or load that leads nowhere, as "page: target"."""
    for name, page in pages.items():
        for target in [*page.links, *page.loads]:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            path = unquote(parts.path)
            file = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            if path and not (folder / file).exists():
                yield f"{name}: {target}"
            goal = pages.get(file if path else name)
            anchor = unquote(parts.fragment)
            if goal and anchor and anchor not in goal.anchors:
                yield f"{name}: {target}"
