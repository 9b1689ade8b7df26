"""Prepared data on disk or in a bucket: what is there, and single records.

Enter: a prepared folder. Leave: its facts, decoded examples, cached disparities. Called by `preparing`, `reading`,
`inspecting` and `experiment`.
"""
