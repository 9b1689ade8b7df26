"""The site: `make docs`. Sphinx reads the pages as GitHub does (MyST, CommonMark); furo has search and dark mode.

Fonts and scripts are part of the built site; nothing is loaded from elsewhere. Why Sphinx: Material for MkDocs is in
maintenance only, and its Markdown is another dialect than GitHub's (lists and code within lists).
"""

import pathlib
import sys

from sde_seg_jax import __version__

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # site_slugs

project = "sde_seg_jax"
author = "maintainers of sde_seg_jax"
version = release = __version__

extensions = ["myst_parser"]
root_doc = "index"
include_patterns = ["index.md", "CONTRIBUTING.md", "SECURITY.md", "docs/**.md"]

html_theme = "furo"
html_title = f"sde_seg_jax {version}"
html_copy_source = False
html_last_updated_fmt = None  # the same sources give the same site
html_static_path = ["static"]
html_css_files = ["site.css"]
smartquotes = False  # they make a dash of the two hyphens before a flag

myst_heading_anchors = 4
myst_heading_slug_func = "site_slugs.slug"
