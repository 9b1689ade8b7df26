"""A trained network as one file that runs without this package: ONNX, StableHLO, SavedModel, LiteRT.

`graph` makes the function, a file a format writes and reads it, `checking` compares the two.
"""
