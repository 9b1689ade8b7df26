"""The error of whoever commands and configures."""


class UsageError(ValueError):
    """A command line or configuration that cannot be used; the message names the key and the remedy."""
