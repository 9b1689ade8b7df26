"""The files by which one command tells the next what was done: read with a check, written whole or not at all."""
