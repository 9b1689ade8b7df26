"""Where compiled programs are kept, so that a second run starts at once."""

import os
import pathlib
import sys

FOLDER = pathlib.Path("~/.cache/sde_seg_jax/compiled")


def keep() -> None:
    """Compiled programs stay in `FOLDER`, unless somebody chose where (JAX_COMPILATION_CACHE_DIR, or jax.config).

    What is found there again depends on the program, its shapes, jax and the kind of device: neither on the folder in
    which a command runs, nor on where the package lies.
    """
    folder, jax = str(FOLDER.expanduser()), sys.modules.get("jax")
    if jax is None:  # reads the environment when it is imported
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", folder)
    elif not jax.config.jax_compilation_cache_dir:
        jax.config.update("jax_compilation_cache_dir", folder)
