"""What the chosen frames can be exported as; imports next to nothing, so that help comes at once."""

from sde_seg_jax.lookup import offered

OURS = ("cvat", "label_studio", "folder")  # the keys of `data.annotation.tools.TOOLS`
FORMATS = (*OURS, *(name for name in offered("sde_seg_jax.annotation") if name not in OURS))
FOLDER = "export"  # of the workdir
