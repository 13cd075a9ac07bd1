"""What MODEL.UNMIXING may hold: refusals that name key, value and range, before memory is taken."""

from collections.abc import Sequence

from d2freq.errors import UserError
from d2freq.utils.grid_size import check_grid
from d2freq.utils.numbers import in_range, pair_in_range

__all__ = ["check_decoding", "check_optics", "check_threshold", "check_window"]

NODE = "MODEL.UNMIXING"
GREY = 1e9  # grey levels; far beyond it squares overflow


def check_optics(size: int, factor: int, sigma: float, ridge: float = 0.0) -> None:
    """Raise UserError for SIZE, FACTOR, SIGMA and Q_INIT_RIDGE that are out of range."""
    in_range(size, 3, 256, key=f"{NODE}.SIZE is", what="pixels a side of a frame")
    check_grid(size, factor, keys=(f"{NODE}.SIZE", f"{NODE}.FACTOR"))
    in_range(sigma, 0.1, 10, key=f"{NODE}.SIGMA is", what="pixels, standard deviation of a spot")
    what = "share of the mean eigenvalue; 0 is published, 1e-4 is for noise"
    in_range(ridge, 0, 1e6, key=f"{NODE}.Q_INIT_RIDGE is", what=what)


def check_window(window: int) -> None:
    """Raise UserError for a WINDOW that is even or below 1."""
    in_range(window, 1, 9999, key=f"{NODE}.WINDOW is", what="an odd number of frames")
    if window % 2 == 0:
        raise UserError(
            f"{NODE}.WINDOW is {window}: a window has a frame in its middle, so take an odd number "
            "of frames, such as 5"
        )


def check_threshold(threshold: float) -> None:
    """Raise UserError for a THRESHOLD that is out of range: no cell would reach NaN."""
    what = "grey levels from which on a cell is a target"
    in_range(threshold, 0, GREY, key=f"{NODE}.THRESHOLD is", what=what)


def check_decoding(brightness: Sequence[float], decode_frames: int | str) -> None:
    """Raise UserError for a BRIGHTNESS that is no range, or frames that have no middle."""
    if len(brightness):
        what = "grey levels of a target, or () where they are not known"
        pair_in_range(brightness, 1e-6, GREY, key=f"{NODE}.BRIGHTNESS is", what=what)
    number = isinstance(decode_frames, int) and not isinstance(decode_frames, bool)
    odd = number and 1 <= int(decode_frames) <= 9999 and int(decode_frames) % 2
    if decode_frames != "all" and not odd:
        raise UserError(
            f"{NODE}.DECODE_FRAMES is {decode_frames!r}: 1, an odd number of frames up to 9999, "
            "such as 5, or all for the whole trajectory"
        )
