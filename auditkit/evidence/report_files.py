"""The files a person reads, made from evidence alone: no model, no torch, no user code."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from auditkit.attacks.families import FAMILIES
from auditkit.core.canonical import canonical
from auditkit.core.progress import NullReporter, Reporter
from auditkit.evidence.assemble import Attacked, bundle_arrays
from auditkit.evidence.bundle import read_bundle, write_bundle
from auditkit.evidence.run_record import npz, run_record
from auditkit.evidence.schema import Evidence
from auditkit.reports import PdfUnavailable, pdf, render
from auditkit.reports.method_page import METHOD, method_page


def report(out: Path, tell: Reporter | None = None) -> list[str]:
    """Render the report of a finished bundle again; returns the names of the files written.

    Raises UsageError where there is no finished bundle, IntegrityError where its files were
    altered.
    """
    files = report_files(read_bundle(out), tell or NullReporter())
    write_bundle(out, files)
    return list(files)


def report_files(files: Mapping[str, bytes], tell: Reporter) -> dict[str, bytes]:
    """report.html, summary.md, method.md and, where the libraries for it are there, report.pdf.

    files: at least evidence.json and run.json.
    """
    evidence, run = files["evidence.json"], json.loads(files["run.json"])
    families = {name: family.meaning for name, family in FAMILIES.items()}
    rendered = render(evidence, run, families)
    made = {"report.html": rendered.html.encode(), "summary.md": rendered.summary.encode()}
    made[METHOD] = method_page()
    try:
        made["report.pdf"] = pdf(rendered.html, evidence, run["finished"])
    except PdfUnavailable as unavailable:
        tell.say(f"no report.pdf: {unavailable}")
    return made


def write_audit(
    out: Path, evidence: Evidence, attacked: Attacked, key: bytes, started: float, tell: Reporter
) -> None:
    """Write the files of a finished audit into its bundle.

    Args:
        out: the bundle.
        evidence: everything that was found.
        attacked: what the verdict is computed from.
        key: salts the ids of the records.
        started: when the audit began, in seconds since the epoch.
        tell: how progress is reported.
    """
    record = run_record(started, f"auditkit {' '.join(sys.argv[1:])}")
    files = {"evidence.json": canonical(evidence), "run.json": json.dumps(record, indent=1).encode()}
    arrays = {"scores/scores.npz": npz(bundle_arrays(attacked, key, evidence.looks[-1].level))}
    write_bundle(out, {**files, **arrays, **report_files(files, tell)})
