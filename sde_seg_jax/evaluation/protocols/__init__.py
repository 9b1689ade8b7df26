"""How a network is asked about an image: whole, in windows, at several scales, mirrored.

Pure functions on arrays; `protocol` says which, `sizes` what fits, `sliding` and `views` do it.
"""
