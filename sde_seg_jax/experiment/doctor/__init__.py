"""Checks of a data set before anything is trained: what to check, what was found, as lines, picture and JSON."""
