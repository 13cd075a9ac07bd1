"""The error that a user can cure: printed without a traceback by train_net.py and d2freq."""


class UserError(ValueError):
    """Bad input: the message names the culprit (file, record, key) and the cure."""


class DatasetError(UserError):
    """A data set that is missing or faulty; the message names file, record and cure."""
