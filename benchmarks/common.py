"""What the commands of benchmarks/ share: their options, the claim they read, where results go."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from auditkit.claims.claim import Claim
from auditkit.claims.read import read_claim
from auditkit.core.errors import UsageError
from auditkit.core.ids import EXACT, residual_memory
from auditkit.evidence.schema import Finding, Number

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[1] / "docs"


def options(doc: str | None, *, seeds: int | None = None) -> argparse.ArgumentParser:
    """A parser that prints the whole docstring of its command for --help.

    Args:
        doc: the docstring of the command's module.
        seeds: the default of the option --seeds, which there is only where this is given.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if seeds is not None:
        parser.add_argument("--seeds", type=int, default=seeds, help="how many audit seeds, from 0 on")
    return parser


def claim_options(doc: str | None) -> argparse.ArgumentParser:
    """A parser for commands about one claim and its data: CLAIM and --directory."""
    parser = options(doc)
    parser.add_argument("claim", type=Path)
    parser.add_argument("--directory", type=Path, help="of the IDX files, where auditkit does not find them")
    return parser


def claim_in(path: Path, directory: Path | None = None) -> Claim:
    """The claim in a file.

    Args:
        path: of the claim's TOML file.
        directory: where its data lie, in place of what the claim says.

    Raises:
        UsageError: with every problem of the claim.
    """
    claim, problems = read_claim(path)
    if problems:
        raise UsageError(*problems)
    if directory is None:
        return claim
    return claim.model_copy(update={"data": claim.data.model_copy(update={"directory": directory.resolve()})})


def exact_rho(findings: Iterable[Finding]) -> Number | None:
    """Residual memory of the records as they are, by the finding that carries it; None where it
    could not be measured."""
    return next(finding.number for finding in findings if finding.test == residual_memory(EXACT))


def with_interval(rho: Number | None, digits: int) -> str:
    """A number with its interval, "-" where there is none."""
    if rho is None or rho.value is None:
        return "-"
    return f"{rho.value:+.{digits}f} ({rho.low:+.{digits}f} to {rho.high:+.{digits}f})"
