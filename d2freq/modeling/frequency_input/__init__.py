"""DCT coefficients as a network's input (Learning in the Frequency Domain, CVPR 2020)."""

from d2freq.modeling.frequency_input.channels import select_channels
from d2freq.modeling.frequency_input.stem import DCTStem

__all__ = ["DCTStem", "select_channels"]
