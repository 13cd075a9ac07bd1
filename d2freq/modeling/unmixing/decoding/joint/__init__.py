"""One fit for several frames: targets that keep their shape, on a smooth path."""
