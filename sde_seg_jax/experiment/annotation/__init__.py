"""Chosen frames as tasks for labelling tools, with classes and first labels."""
