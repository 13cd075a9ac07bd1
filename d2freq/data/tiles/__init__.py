"""Large images cut into overlapping tiles, and the objects that each tile shows."""
