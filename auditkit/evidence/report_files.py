"""The files a person reads, made from evidence alone: no model, no torch, no user code."""

import json
from collections.abc import Mapping
from pathlib import Path

from auditkit.attacks.families import FAMILIES
from auditkit.core.progress import NullReporter, Reporter
from auditkit.evidence.bundle import read_bundle, write_bundle
from auditkit.reports import PdfUnavailable, pdf, render


def report(out: Path, tell: Reporter | None = None) -> list[str]:
    """Render the report of a finished bundle again; returns the names of the files written.

    Raises UsageError where there is no finished bundle, IntegrityError where its files were
    altered.
    """
    files = report_files(read_bundle(out), tell or NullReporter())
    write_bundle(out, files)
    return list(files)


def report_files(files: Mapping[str, bytes], tell: Reporter) -> dict[str, bytes]:
    """report.html, summary.md and, where the libraries for it are there, report.pdf.

    files: at least evidence.json and run.json.
    """
    evidence, run = files["evidence.json"], json.loads(files["run.json"])
    families = {name: family.meaning for name, family in FAMILIES.items()}
    rendered = render(evidence, run, families)
    made = {"report.html": rendered.html.encode(), "summary.md": rendered.summary.encode()}
    try:
        made["report.pdf"] = pdf(rendered.html, evidence, run["finished"])
    except PdfUnavailable as unavailable:
        tell.say(f"no report.pdf: {unavailable}")
    return made
