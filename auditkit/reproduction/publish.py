"""The page of a reproduction, its figures and its tables as files. No arithmetic, and no torch."""

import json
from pathlib import Path

from auditkit.core.errors import UsageError
from auditkit.reports import render_reproduction
from auditkit.reports.method_page import METHOD, method_page
from auditkit.reports.svg import standalone


def publish(content: bytes, out: Path) -> list[str]:
    """Write reproduction.json, a page with everything, the tables as Markdown, and each figure as a
    file of its own; returned: their names. content: the bytes of reproduction.json. UsageError
    where they cannot be written."""
    rendered = render_reproduction(json.loads(content))
    files = {
        "reproduction.json": content,
        "reproduction.html": rendered.html.encode(),
        "README.md": rendered.markdown.encode(),
        METHOD: method_page(),
        **{f"{name}.svg": standalone(svg).encode() for name, svg in rendered.figures.items()},
    }
    try:
        for name, written in files.items():
            (out / name).write_bytes(written)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written to: {error}; choose another --out") from error
    return list(files)
