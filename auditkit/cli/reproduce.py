"""The command `auditkit reproduce`."""

from pathlib import Path
from typing import Any

import click

from auditkit.cli.options import failures, resource_options

SIZES = ("tiny", "reduced", "full")
SOURCES = ("mnist", "fashion-mnist")


@click.group()
def reproduce() -> None:
    """Make a paper's experiments again, on real data, and audit what it claims."""


@reproduce.command()
@click.option(
    "--size",
    type=click.Choice(SIZES),
    default="reduced",
    show_default=True,
    help=(
        "tiny: a minute, says nothing. reduced: about twenty minutes on two cores. full: as in the paper; on"
        " a GPU, or many hours."
    ),
)
@click.option(
    "--data", "sources", multiple=True, help="A data set; may be given more than once. [mnist, fashion-mnist]"
)
@click.option("--out", type=click.Path(path_type=Path), help="Directory for page, figures and numbers.")
@click.option("--json", "as_json", is_flag=True, help="Put reproduction.json on standard output.")
@resource_options
def fnn(size: str, sources: tuple[str, ...], out: Path | None, as_json: bool, **given: Any) -> None:
    """Forgetting Neural Networks (Hatua et al., arXiv:2410.22374): the curves and tables of the
    paper, all procedures that auditkit has, and an audit of each. Interrupted, the same command
    goes on. Exits 0 once the page is written."""
    with failures(as_json):
        from auditkit.core.canonical import canonical
        from auditkit.core.progress import ConsoleReporter
        from auditkit.engine.resources import Resources
        from auditkit.reproduction.publish import publish
        from auditkit.reproduction.reproduce import reproduce as run

        place, tell = out or Path("reproductions") / f"fnn-{size}", ConsoleReporter()
        found = run(size, sources or SOURCES, place, given=Resources(**given), tell=tell)
        content = canonical(found)
        publish(content, place)
        click.echo(content if as_json else f"Page: {place / 'reproduction.html'}")
