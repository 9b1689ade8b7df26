"""Decoders by name, one file each: a module with `make_decoder`.

A decoder turns an encoder's maps into features of five levels, coarse (4) to fine (0), and, where it has heads,
disparities. The depth and the segmentation decoder of a network are of one kind, so that one initialises the other.
What the network calls:

    decoder(maps, train=, dropout=) -> Decoded              all levels, and disparities
    decoder.decode(x, maps, levels, train=, dropout=)       layers of some levels: two tasks exchange in between
    decoder.disparities(decoded)                            of the levels that have a head
    decoder.image_size(maps)                                (height, width) in pixels
    decoder.least                                           smallest height and width of an image, in pixels
"""

from sde_seg_jax.lookup import Kind

DECODERS = Kind("decoder", "sde_seg_jax.models.decoders", attribute="make_decoder", group="sde_seg_jax.decoders")
