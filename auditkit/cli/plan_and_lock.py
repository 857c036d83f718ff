"""The commands that come before an audit: what it would take and could decide, and what it is held
to."""

import json
from pathlib import Path
from typing import Any

import click

from auditkit.cli.options import failures, resource_options


@click.command()
@click.argument("claim", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Put one JSON document on standard output.")
@resource_options
def plan(claim: Path | None, as_json: bool, **given: Any) -> None:
    """Say how many runs an audit of CLAIM takes, how long, and what it could see. Trains
    nothing."""
    with failures(as_json):
        from auditkit.claims.claim import BUILT_IN
        from auditkit.claims.read import read_claim
        from auditkit.core.canonical import to_plain
        from auditkit.core.progress import ConsoleReporter
        from auditkit.engine.resources import Resources
        from auditkit.study.power_forecast import forecast, in_words
        from auditkit.study.study import prepare

        path, tell = claim or BUILT_IN, ConsoleReporter()
        stated, problems = read_claim(path)
        found = forecast(prepare(stated, path.parent, problems, tell), Resources(**given), tell)
        click.echo(json.dumps(to_plain(found)) if as_json else "\n".join(in_words(found)))


@click.command()
@click.argument("claim", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Directory of the evidence bundle to come.")
@click.option("--json", "as_json", is_flag=True, help="Put one JSON document on standard output.")
@resource_options
def lock(claim: Path | None, out: Path | None, as_json: bool, **given: Any) -> None:
    """Lock claim, margins, tests, seeds, data and code before the first run. Trains nothing.

    Prints the SHA-256 of lock.json, to be published or sent: `auditkit audit CLAIM --lock SHA256`
    gives a verdict by these criteria or none.
    """
    with failures(as_json):
        from auditkit.claims.claim import BUILT_IN
        from auditkit.claims.read import read_claim
        from auditkit.core.progress import ConsoleReporter
        from auditkit.evidence.bundle import LOCK, key_path
        from auditkit.study.source import AuditRequest

        path, tell = claim or BUILT_IN, ConsoleReporter()
        stated, problems = read_claim(path)
        place = out or default_place(claim, stated.name)
        request = AuditRequest(stated, place, path.parent, tuple(problems))
        if stated.predictions:  # needs no torch
            from auditkit.predictions import submitted_source

            sha256 = submitted_source(request, tell).lock_sha256
        else:
            from auditkit.engine.resources import Resources
            from auditkit.study.lock import lock_audit

            sha256 = lock_audit(request, Resources(**given), tell).lock_sha256
        tell.say(f"keep {key_path(place)}: nobody can audit by this lock without it")
        document = {"lock": str(place / LOCK), "sha256": sha256}
        click.echo(json.dumps(document) if as_json else f"{sha256}  {place / LOCK}")


def default_place(claim: Path | None, name: str) -> Path:
    """Where the bundle of a claim lies if nothing is said. claim: its file, None for the built-in
    one's `name`."""
    return Path("audits") / (claim.stem if claim else name)
