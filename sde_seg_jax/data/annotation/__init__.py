"""Labelling tools: tasks written for them, their finished labels read back. One file a tool.

Enter: frames with classes and first labels, or a tool's export. Leave: a tool's files, or labels of raw files. Called
by `own` and `experiment.annotation`.
"""
