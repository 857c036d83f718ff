"""The page that says how every number is computed. Each `source` in evidence names a section of it,
and so every bundle carries it: who holds the bundle alone can look up what a number means."""

import re
from importlib.resources import files

METHOD = "method.md"
"""The name of the page beside the evidence; a `source` is this name, `#`, and a section."""


def method_page() -> bytes:
    """The page as it lies in a bundle: links to pages that are not there become plain words."""
    page = files("auditkit.reports").joinpath(METHOD).read_text(encoding="utf-8")
    return re.sub(r"\[([^]]+)\]\((?!#|https?:)[^)]+\)", r"\1", page).encode()


def anchors(page: str) -> set[str]:
    """The sections of a Markdown page, as they are named after `#` in an address.

    Args:
        page: Markdown, with headings that open with `#`.

    Returns:
        Each heading in lower case, without punctuation, hyphens for blanks.
    """
    headings = re.findall(r"^#+ +(.+?) *$", page, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
