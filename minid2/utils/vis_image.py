"""A picture to draw upon with matplotlib, which is imported when the first one is made."""

import numpy as np

DPI = 128  # a power of two, so that pixels / DPI * DPI is exact


class VisImage:
    """An image under a matplotlib ``Axes`` in its own pixel coordinates, at ``self.ax``."""

    def __init__(self, img: np.ndarray, scale: float = 1.0):
        """Set up the canvas.

        Args:
            img: (H, W, 3) RGB in [0, 255].
            scale: the output is this much larger.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.img = img
        self.scale = scale
        self.height, self.width = img.shape[:2]
        width, height = (int(side * scale) / DPI for side in (self.width, self.height))
        self.fig = Figure(figsize=(width, height), dpi=DPI, frameon=False)
        self.canvas = FigureCanvasAgg(self.fig)
        self.ax = self.fig.add_axes((0.0, 0.0, 1.0, 1.0))
        self.ax.axis("off")
        self.reset_image(img)

    def reset_image(self, img: np.ndarray) -> None:
        """Put another image of the same size under what is drawn."""
        extent = (0, self.width, self.height, 0)
        pixels = np.clip(img, 0, 255).astype(np.uint8)
        self.ax.imshow(pixels, extent=extent, interpolation="nearest")

    def save(self, filepath: str) -> None:
        """Write the picture; the ending of the name says in which format."""
        self.fig.savefig(filepath)

    def get_image(self) -> np.ndarray:
        """The picture, (H * scale, W * scale, 3) uint8 RGB."""
        self.canvas.draw()
        return np.asarray(self.canvas.buffer_rgba())[:, :, :3].copy()
