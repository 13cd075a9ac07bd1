"""What is printed reaches the terminal, whatever letters it has."""

import sys

__all__ = ["print_any_letter"]


def print_any_letter() -> None:
    """Have letters that a terminal's encoding lacks printed as escapes, in place of an error.

    Names of files may hold bytes that are no text, as archives of other systems unpack them, and a
    terminal or a pipe may be in ASCII or Latin-1 where a class is called in Chinese.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's or a test's stream takes any letter
            stream.reconfigure(errors="backslashreplace")
