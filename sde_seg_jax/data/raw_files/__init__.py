"""Single files as they are downloaded or recorded.

Enter: paths. Leave: arrays, and errors that name the file and the remedy. Called by `datasets`, `own`, `annotation`,
`preparing` and `inspecting`; knows no data set.
"""
