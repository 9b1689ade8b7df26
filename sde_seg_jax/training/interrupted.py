"""The end of work that a person stopped; imports nothing, so that a command line can wait for it."""


class Interrupted(Exception):
    """SIGINT or SIGTERM arrived; the state has been saved."""
