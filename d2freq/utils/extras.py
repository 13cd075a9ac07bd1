"""How an optional package is installed, in the words of every message that misses one."""

__all__ = ["install"]


def install(extra: str) -> str:
    """The command that installs what an extra of setup.py has, for the end of a message.

    Examples:
        >>> from d2freq.utils.extras import install
        >>> install("export")
        'pip install "d2freq[export]" (in a clone: pip install -e ".[export]")'
    """
    return f'pip install "d2freq[{extra}]" (in a clone: pip install -e ".[{extra}]")'
