"""A few shapes and arrows as SVG, all that the figures of the site need.

Coordinates are pixels from the top left. Kinds of boxes have one meaning in all figures: ``data``
is a map or picture, ``step`` what was there before, ``new`` what the paper adds.
"""

from collections.abc import Sequence
from xml.sax.saxutils import escape

__all__ = ["AMBER", "BLUE", "GREEN", "GREY", "INK", "RED", "Drawing"]

INK, GREY = "#1f2937", "#6b7280"
BLUE, AMBER, GREEN, RED = "#2563eb", "#d97706", "#15803d", "#dc2626"
KINDS = {
    "data": ("#eff6ff", BLUE),
    "step": ("#f3f4f6", GREY),
    "new": ("#fffbeb", AMBER),
    "good": ("#f0fdf4", GREEN),
}
LINE = 16  # pixels from one line of words to the next

Point = tuple[float, float]


class Drawing:
    """An SVG of a size, with a title for who cannot see it."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.size = (width, height)
        self.title = title
        self.parts: list[str] = []

    def box(
        self, x: float, y: float, width: float, height: float, words: str, kind: str = "step"
    ) -> None:
        """A rounded box with words in its middle; a line break begins a new line."""
        fill, stroke = KINDS[kind]
        self.rect(x, y, width, height, fill=fill, stroke=stroke, round_=6)
        self.words(x + width / 2, y + height / 2, words)

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = "none",
        stroke: str = INK,
        round_: float = 0,
        line: float = 1.5,
        dashed: bool = False,
        opacity: float = 1,
    ) -> None:
        """A rectangle."""
        dash = ' stroke-dasharray="5 3"' if dashed else ""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round_:g}" '
            f'fill="{fill}" fill-opacity="{opacity:g}" stroke="{stroke}" '
            f'stroke-width="{line:g}"{dash}/>'
        )

    def words(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "middle",
        colour: str = INK,
        size: int = 13,
        bold: bool = False,
    ) -> None:
        """Words around a point, their lines centred on it."""
        lines = words.split("\n")
        top = y - LINE * (len(lines) - 1) / 2 + size * 0.35
        weight = ' font-weight="600"' if bold else ""
        for number, line in enumerate(lines):
            self.parts.append(
                f'<text x="{x:g}" y="{top + LINE * number:g}" text-anchor="{anchor}" '
                f'font-size="{size}" fill="{colour}"{weight}>{escape(line)}</text>'
            )

    def arrow(
        self, *points: Point, colour: str = INK, dashed: bool = False, head: bool = True
    ) -> None:
        """A line through points, with a head at its end."""
        dash = ' stroke-dasharray="5 3"' if dashed else ""
        end = f' marker-end="url(#head{colour[1:]})"' if head else ""
        self.parts.append(
            f'<polyline points="{_joined(points)}" fill="none" stroke="{colour}" '
            f'stroke-width="1.5"{dash}{end}/>'
        )

    def area(self, points: Sequence[Point], *, fill: str, opacity: float = 0.2) -> None:
        """A filled shape without an outline."""
        self.parts.append(
            f'<polygon points="{_joined(points)}" fill="{fill}" fill-opacity="{opacity:g}"/>'
        )

    def circle(self, x: float, y: float, radius: float, *, fill: str, opacity: float = 1) -> None:
        """A filled circle."""
        self.parts.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" '
            f'fill-opacity="{opacity:g}"/>'
        )

    def plus(self, x: float, y: float, sign: str = "+") -> None:
        """A sign in a circle: an addition, or a product."""
        self.parts.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="11" fill="#fff" stroke="{INK}" stroke-width="1.5"/>'
        )
        self.words(x, y, sign, size=15)

    def svg(self) -> str:
        """The file."""
        width, height = self.size
        heads = "".join(_head(colour) for colour in (INK, GREY, BLUE, AMBER, GREEN, RED))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" '
            'font-family="system-ui, sans-serif">\n'
            f"<title>{escape(self.title)}</title>\n<defs>{heads}</defs>\n"
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )


def _joined(points: Sequence[Point]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _head(colour: str) -> str:
    return (
        f'<marker id="head{colour[1:]}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        f'markerHeight="7" orient="auto-start-reverse"><path d="M0,0 L10,5 L0,10 z" '
        f'fill="{colour}"/></marker>'
    )
