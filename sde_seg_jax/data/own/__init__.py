"""A person's own folder: which clips, labels and cameras are in it, and which clips are held out.

Enter: a raw folder. Leave: clips with their labels and cameras, and lists of problems. Called by `datasets.folder` and
`inspecting`.
"""
