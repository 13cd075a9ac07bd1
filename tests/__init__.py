"""A package, so that no `tests` of another project on the path is taken for it."""
