"""Anchors of headings on the site."""

import re


def slug(title: str) -> str:
    """GitHub's anchor of a heading; of "Q18: the confident fraction" the name alone, which sources link to."""
    if name := re.match(r"(Q\d+|Decision \d|METHOD \d): ", title):
        title = name.group(1)
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
