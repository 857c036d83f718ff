"""The auditor audits itself: from a claim's data and model to how often it would be right about
such claims."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from auditkit.calibration import rates as r
from auditkit.calibration.gallery import EXACT_CASES, GALLERY, HONEST_CASES, LIMITS, GalleryCase
from auditkit.calibration.trials import Trial, trials
from auditkit.claims.claim import Claim
from auditkit.claims.required import required_tests
from auditkit.core.canonical import canonical
from auditkit.core.environment import VERSION
from auditkit.core.errors import UsageError
from auditkit.core.ids import TestId
from auditkit.core.progress import NullReporter, Reporter
from auditkit.engine.plan import cores
from auditkit.engine.resources import Resources
from auditkit.reports import render_calibration
from auditkit.reports.method_page import METHOD, method_page
from auditkit.runs.bank import Bank, runs_of
from auditkit.runs.fill_bank import fill

CLAIMS = 20
FILES = ("calibration.json", "calibration.html", METHOD)


def calibrate(
    claim: Claim,
    out: Path,
    *,
    fakes: Mapping[str, GalleryCase] = GALLERY,
    claims: int = CLAIMS,
    jobs: int | None = None,
    folder: Path = Path(),
    problems: Sequence[str] = (),
    tell: Reporter | None = None,
) -> r.Calibration:
    """Put claims whose answer is known to the decision, and leave the table as JSON and as HTML.

    Interrupted, the same call goes on where training was.

    Args:
        claim: of its data, its model, its training and its criteria; its procedure plays no part.
        out: the directory for calibration.json and calibration.html.
        fakes: which are tried.
        claims: of each case.
        jobs: workers; by default as many as there are cores.
        folder: as for `auditkit.pipeline.audit`.
        problems: as `folder`.
        tell: hears how it goes.

    Returns:
        What is in calibration.json.

    Raises:
        UsageError: with every problem, before anything is trained.
        AuditError: where it cannot run.
    """
    tell = tell or NullReporter()
    _check_place(out)
    gallery = {
        name: entry.claimed for name, entry in {**EXACT_CASES, **HONEST_CASES, **fakes, **LIMITS}.items()
    }
    bank = fill(
        claim, gallery, folder=folder, problems=problems, given=Resources(jobs=jobs or cores()), tell=tell
    )
    cases = dict.fromkeys(gallery, claims)
    tell.say(f"deciding {claims * len(cases)} claims ...")
    found = trials(bank, cases, claim.criteria, claim.runs.per_arm, claim.seed, jobs or cores())
    calibration = summed_up(bank, claim, fakes, found)
    content = canonical(calibration)
    page = render_calibration(content).encode()
    _write(out, {"calibration.json": content, "calibration.html": page, METHOD: method_page()})
    return calibration


def summed_up(
    bank: Bank, claim: Claim, fakes: Mapping[str, GalleryCase], found: Mapping[str, Sequence[Trial]]
) -> r.Calibration:
    """The table of these trials: case -> trials, which were drawn from this bank."""
    tests = required_tests(claim.criteria, stress=claim.runs.stress)
    rows = tuple(row(case, fakes, own, tests) for case, own in found.items())
    answer, sentences = r.answered(rows, claim.criteria.alpha)
    about = cast(dict[str, Any], bank.about)
    return r.Calibration(
        schema=1,
        auditkit=VERSION,
        claim=about["claim"],
        data=about["data"]["name"],
        runs=runs_of(bank),
        per_arm=claim.runs.per_arm,
        tests=tuple(map(str, tests)),
        alpha=claim.criteria.alpha,
        diverged=tuple(about["diverged"]),
        confidence=r.CONFIDENCE,
        method=r.METHOD,
        source=r.SOURCE,
        cases=rows,
        answer=answer,
        sentences=sentences,
    )


def row(
    case: str, fakes: Mapping[str, GalleryCase], found: Sequence[Trial], tests: Sequence[TestId]
) -> r.CaseRates:
    """The row of one case."""
    tables: dict[r.Kind, Mapping[str, GalleryCase]] = {
        "exact": EXACT_CASES,
        "honest": HONEST_CASES,
        "fake": fakes,
        "limit": LIMITS,
    }
    [(kind, entry)] = [(kind, table[case]) for kind, table in tables.items() if case in table]
    return r.rates(case, kind, entry.meaning, entry.fools, found, tests)


def _check_place(out: Path) -> None:
    """UsageError where the table would overwrite what is none."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: must be a directory for the table, found a file; choose another --out")
    if others := sorted({path.name for path in out.glob("*")} - set(FILES))[:3]:
        raise UsageError(
            f"{out}: must be empty, or hold an earlier table alone; found {', '.join(others)}; choose another"
            " --out"
        )


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (out / name).write_bytes(content)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written to: {error}; choose another --out") from error
