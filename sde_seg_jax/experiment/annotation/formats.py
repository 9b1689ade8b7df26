"""What the chosen frames can be exported as; imports nothing, so that help comes at once."""

FORMATS = {"cvat": "cvat", "label_studio": "label_studio", "folder": "plain"}  # -> module of data.annotation
FOLDER = "export"  # of the workdir
