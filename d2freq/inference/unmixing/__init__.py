"""Point targets in a person's own frames: positions, their errors and tracks, as files."""

from d2freq.inference.unmixing.run import Unmixed, UnmixOptions, unmix

__all__ = ["UnmixOptions", "Unmixed", "unmix"]
