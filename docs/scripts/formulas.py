"""Formulas of the pages, from TeX to MathML, which a browser draws by itself.

On a page a formula is ``$...$`` or a block of ``$$...$$``, as a forge shows it; arithmatex marks it
in the HTML, and here the mark is replaced. Nothing is loaded when the page is read.
"""

import html
import re

from latex2mathml.converter import convert

__all__ = ["with_mathml"]

_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def with_mathml(page: str) -> str:
    """The HTML of a page with each formula as MathML."""
    page = _BLOCK.sub(lambda match: _converted(match.group(1), "block"), page)
    return _INLINE.sub(lambda match: _converted(match.group(1), "inline"), page)


def _converted(tex: str, display: str) -> str:
    return convert(html.unescape(tex).strip(), display=display)
