"""The error that a user can cure: train_net.py and the command line print it without a traceback."""


class UserError(ValueError):
    """Bad input: the message names the culprit (file, record, key) and the cure."""
