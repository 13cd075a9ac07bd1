"""YAML and lazy configs, read with errors that name the culprit."""
