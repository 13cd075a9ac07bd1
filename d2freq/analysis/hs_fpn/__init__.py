"""HS-FPN's maps, and the signal to clutter ratio against its filter."""
