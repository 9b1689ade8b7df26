"""One file a data set: how its raw files pair up, its classes, its camera; found by name (`spec.find`).

Enter: a raw folder, a split. Leave: a `spec.DatasetSpec`. Called through `spec.find` alone.
"""
