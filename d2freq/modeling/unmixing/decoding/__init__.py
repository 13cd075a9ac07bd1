"""From a grid to points: sub-pixel positions and intensities fitted to the frames."""
