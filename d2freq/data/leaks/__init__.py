"""Content that two splits share: copies, crops and shifted tiles."""
