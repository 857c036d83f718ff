"""The command line. torch and the pipeline are imported by the command that needs them, so that
`auditkit --help` answers at once."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from auditkit.cli.options import failures, resource_options
from auditkit.cli.plan_and_lock import default_place, lock, plan
from auditkit.cli.reproduce import reproduce
from auditkit.core.environment import VERSION
from auditkit.core.errors import UsageError

EXIT = {"supported": 0, "not_supported": 1, "inconclusive": 3}
"""Outcome -> exit code. 2 and 4 are those of `auditkit.core.errors`."""
CALIBRATED = {"right": 0, "wrong": 1, "blind": 3}
"""Answer of a calibration -> exit code."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="auditkit")
def main() -> None:
    """Find out whether a claim of machine unlearning is true, and prove it.

    Exit codes: 0 supported, 1 not supported, 2 usage or claim error, 3 inconclusive, 4 could not
    run.
    """


main.add_command(plan)
main.add_command(lock)
main.add_command(reproduce)


@main.command()
@click.argument("claim", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Directory for the evidence bundle.")
@click.option("--json", "as_json", is_flag=True, help="Put evidence.json on standard output.")
@click.option(
    "--backend", type=click.Choice(["loky", "dask", "ray"]), default="loky", help="Who runs the workers."
)
@click.option("--address", help="Of a running Dask or Ray cluster; without it one is started here.")
@click.option("--lock", help="SHA-256 or file of what `auditkit lock` locked; anything else is refused.")
@resource_options
def audit(claim: Path | None, out: Path | None, as_json: bool, lock: str | None, **given: Any) -> None:
    """Audit CLAIM, a TOML file; without one, the built-in claim on the embedded data set."""
    with failures(as_json):
        from auditkit.claims.claim import BUILT_IN
        from auditkit.claims.read import read_claim
        from auditkit.core.canonical import canonical
        from auditkit.core.progress import ConsoleReporter
        from auditkit.engine.resources import Resources
        from auditkit.pipeline import audit as run_audit

        path = claim or BUILT_IN
        stated, problems = read_claim(path)
        place = out or default_place(claim, stated.name)
        evidence = run_audit(
            stated,
            place,
            folder=path.parent,
            problems=problems,
            given=Resources(**given),
            tell=ConsoleReporter(),
            lock=lock,
        )
        if as_json:
            click.echo(canonical(evidence))
        else:
            click.echo(evidence.verdict.sentence)
            for reason in evidence.verdict.reasons:
                click.echo(f"  - {reason}")
            if evidence.verdict.outlook:
                click.echo(f"  - {evidence.verdict.outlook}")
            click.echo(evidence.residual_memory.could_see)
            click.echo(f"Report: {place / 'report.html'}")
        sys.exit(EXIT[evidence.verdict.outcome])


@main.command()
@click.argument("claim", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Directory for the table.")
@click.option(
    "--claims", type=click.IntRange(min=1), default=20, show_default=True, help="Claims of each case."
)
@click.option("--jobs", type=click.IntRange(min=1), help="Workers; by default as many as there are cores.")
@click.option("--json", "as_json", is_flag=True, help="Put calibration.json on standard output.")
def calibrate(claim: Path | None, out: Path | None, claims: int, jobs: int | None, as_json: bool) -> None:
    """Audit the auditor on the data and the model of CLAIM: honest retraining and a gallery of
    fakes go through the same decision as any claim.

    Exit codes: 0 no fake was supported and honest retraining was not refuted too often, 1 one of
    the two was, 3 neither, but honest retraining was seldom supported, 2 usage or claim error, 4
    could not run.
    """
    with failures(as_json):
        from auditkit.calibration.calibrate import calibrate as run_calibration
        from auditkit.claims.claim import BUILT_IN
        from auditkit.claims.read import read_claim
        from auditkit.core.canonical import canonical
        from auditkit.core.progress import ConsoleReporter

        path = claim or BUILT_IN
        stated, problems = read_claim(path)
        place = out or Path("calibrations") / (claim.stem if claim else stated.name)
        found = run_calibration(
            stated,
            place,
            claims=claims,
            jobs=jobs,
            folder=path.parent,
            problems=problems,
            tell=ConsoleReporter(),
        )
        if as_json:
            click.echo(canonical(found))
        else:
            click.echo("\n".join(found.sentences))
            click.echo(f"Table: {place / 'calibration.html'}")
        sys.exit(CALIBRATED[found.answer])


@main.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Put one JSON document on standard output.")
def report(bundle: Path, as_json: bool) -> None:
    """Render the report of BUNDLE again from its evidence. Exits 0 once it is written."""
    with failures(as_json):
        from auditkit.core.progress import ConsoleReporter
        from auditkit.evidence.report_files import report as render_again

        files = render_again(bundle, ConsoleReporter())
        click.echo(json.dumps({"written": files}) if as_json else "\n".join(str(bundle / f) for f in files))


@main.group()
def data() -> None:
    """The data sets that auditkit knows by name."""


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="Put one JSON document on standard output.")
def list_(as_json: bool) -> None:
    """Say which data sets there are, where each was found, and under which licence."""
    from dataclasses import asdict

    from auditkit.data import status

    rows = [asdict(row) for row in status()]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        found = row["found"] or f"not here: `auditkit data fetch {row['name']}` downloads it"
        click.echo(f"{row['name']:<14} {row['records']:>6} records  {found}\n{'':<14} {row['licence']}")


@data.command()
@click.argument("name")
def fetch(name: str) -> None:
    """Download data set NAME (see `auditkit data list`) into the user's cache, resuming where it
    stopped."""
    with failures(as_json=False):
        from auditkit.core.progress import ConsoleReporter
        from auditkit.data import fetch as download

        with ConsoleReporter().downloads() as progress:
            click.echo(str(download(name, progress=progress)))


@main.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Put one JSON document on standard output.")
@click.pass_context
def cache(context: click.Context, as_json: bool) -> None:
    """The trained runs that are kept: say which there are, or remove them."""
    context.obj = as_json
    if context.invoked_subcommand is None:
        with failures(as_json):
            _list_cache(as_json)


def _list_cache(as_json: bool) -> None:
    from dataclasses import asdict

    from auditkit.engine.store import contents, store_directory

    directory, entries = store_directory(), contents()
    total = sum(entry.bytes for entry in entries)
    if as_json:
        rows = [asdict(entry) for entry in entries]
        click.echo(json.dumps({"directory": str(directory), "entries": rows, "bytes": total}))
        return
    width = max((len(entry.what) for entry in entries), default=0)
    click.echo(directory)
    for entry in entries:
        days = max(0, int((time.time() - entry.last_used) / 86_400))
        used = f"last used {_count(days, 'day')} ago"
        click.echo(f"{entry.what:<{width}}  {_megabytes(entry.bytes):>10}  {used}")
    click.echo(f"{_count(len(entries), 'file')}, {_megabytes(total)}")


@cache.command()
@click.option("--unused-days", type=click.FloatRange(min=0), help="Keep what was used in the last N days.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Put one JSON document on standard output.")
@click.pass_obj
def prune(json_before: bool, unused_days: float | None, yes: bool, as_json: bool) -> None:
    """Remove trained runs: all of them, or those that were not used lately. Other files are left
    alone."""
    as_json = as_json or json_before
    with failures(as_json):
        from auditkit.engine.store import contents, store_directory
        from auditkit.engine.store import prune as remove

        agreed = yes or unused_days is not None or _agreed(store_directory())
        files, freed = remove(unused_days) if agreed else (0, 0)
        left = len(contents())
        if as_json:
            click.echo(json.dumps({"files": files, "bytes": freed, "left": left}))
        else:
            click.echo(f"removed {_count(files, 'file')}, {_megabytes(freed)}; {_count(left, 'file')} left")


def _agreed(directory: Path) -> bool:
    """Whether the user agrees to lose every trained run. UsageError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise UsageError(
            "removing every trained run must be confirmed, and standard input is no terminal; add --yes, or "
            "keep what was used lately with --unused-days"
        )
    try:
        return click.confirm(f"Remove every trained run in {directory}?", err=True)
    except click.Abort:  # Ctrl-C at the question is a no, too
        return False


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
