"""Logging, events, communication between processes, files."""
