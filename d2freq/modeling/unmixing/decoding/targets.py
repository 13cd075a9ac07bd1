"""What a decoder found in a frame, and how sure it is of it."""

from dataclasses import dataclass

from torch import Tensor

from d2freq.ops.fisher import equal_area_sd
from d2freq.utils.choices import choice

__all__ = ["SCORES", "Targets"]

SCORES = ("confidence", "intensity")


@dataclass(frozen=True)
class Targets:
    """The targets of one frame, the brightest first.

    Attributes:
        points: (n, 3) float32: row and column in pixels, intensity in grey levels.
        covariances: (n, 2, 2) float32, of row and column, in square pixels: of the estimate, with
            the noise that the residual shows.
    """

    points: Tensor
    covariances: Tensor

    def scores(self, kind: str = "confidence") -> Tensor:
        """(n,) float32, larger for better.

        Args:
            kind: "confidence": minus the standard deviation of the position in pixels, that of the
                circle as large as the ellipse of errors. "intensity": grey levels, the order of a
                grid's cells.

        Raises:
            UserError: another kind.
        """
        choice(kind, SCORES, key="MODEL.UNMIXING.SCORE")
        if kind == "intensity":
            return self.points[:, 2]
        return -equal_area_sd(self.covariances)
