"""Labelling tools: tasks written for them, their finished labels read back. One file a tool."""
