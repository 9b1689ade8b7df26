"""Raw data become prepared data: once, on all cores, resumable.

Enter: a description (`spec.DatasetSpec`) and its raw folder. Leave: a prepared folder that `stored` finds whole or not
at all, and disparities beside it. Called by `experiment.prepare` and `experiment.depth_cache`.
"""
