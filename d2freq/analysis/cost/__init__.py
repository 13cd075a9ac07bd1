"""Parameters and multiply-adds, counted by either rule."""
