"""Tables of experiments: the file that describes one, its runs, and what is still to be run."""
