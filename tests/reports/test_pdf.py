import builtins
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pikepdf
import pytest

from auditkit.reports import PdfUnavailable, pdf
from auditkit.reports.method_page import method_page
from tests.reports import sample
from tests.reports.harfbuzz import needs_subset

CREATED = str(sample.RUN["finished"])
SIGNS = "εδρφ≤≥±–✗✓Δ"


@pytest.fixture(scope="module", params=sample.ALL)
def case(request: pytest.FixtureRequest) -> tuple[str, bytes, bytes]:
    """Page, evidence and PDF of one sample."""
    evidence = sample.as_json(sample.ALL[request.param])
    page = sample.rendered(request.param).html
    return page, evidence, pdf(page, evidence, CREATED)


def elements(node: Any) -> list[Any]:
    """All structure elements below a node of the tag tree."""
    kids = node.get("/K", [])
    kids = list(kids) if isinstance(kids, pikepdf.Array) else [kids]
    below = [kid for kid in kids if isinstance(kid, pikepdf.Dictionary)]
    return [node, *(element for kid in below for element in elements(kid))]


def test_a_reader_can_be_told_what_is_on_the_page(case: tuple[str, bytes, bytes]) -> None:
    """The PDF is tagged, names its language and title, and every figure has a text in its place."""
    with pikepdf.open(BytesIO(case[2])) as document:
        root = document.Root
        assert root.MarkInfo.Marked
        assert str(root.Lang) == "en"
        assert root.ViewerPreferences.DisplayDocTitle
        tags = elements(root.StructTreeRoot)
        figures = [tag for tag in tags if str(tag.get("/S", "")) == "/Figure"]
        assert len(figures) == case[0].count("<svg ")
        assert all(str(figure.Alt) for figure in figures)
        assert sum(str(tag.get("/S", "")) == "/H1" for tag in tags) == 1


def test_the_evidence_is_inside(case: tuple[str, bytes, bytes]) -> None:
    """The attached evidence.json has the bytes of the bundle's, and is declared as data; the page
    that its sources name is attached beside it.
    """
    with pikepdf.open(BytesIO(case[2])) as document:
        assert document.attachments["evidence.json"].get_file().read_bytes() == case[1]
        assert document.attachments["method.md"].get_file().read_bytes() == method_page()
        assert [str(file.AFRelationship) for file in document.Root.AF] == ["/Data", "/Supplement"]


def test_the_file_says_what_it_is(case: tuple[str, bytes, bytes]) -> None:
    """One rdf:RDF, readable without decompression, declares PDF/A-3a and PDF/UA-1."""
    with pikepdf.open(BytesIO(case[2])) as document:
        stream = document.Root.Metadata
        assert "/Filter" not in stream
        xmp = ElementTree.fromstring(stream.read_bytes())
    assert len(xmp.findall("{*}RDF")) == 1
    found = {key: text for node in xmp.iter() for key, text in [*node.attrib.items(), (node.tag, node.text)]}
    assert found["{http://www.aiim.org/pdfa/ns/id/}part"] == "3"
    assert found["{http://www.aiim.org/pdfa/ns/id/}conformance"] == "A"
    assert found["{http://www.aiim.org/pdfua/ns/id/}part"] == "1"


@needs_subset
def test_equal_input_gives_equal_bytes(case: tuple[str, bytes, bytes]) -> None:
    """Writing the same report twice gives the same file."""
    page, evidence, written = case
    assert pdf(page, evidence, CREATED) == written


@needs_subset
def test_it_is_set_in_its_own_fonts(case: tuple[str, bytes, bytes]) -> None:
    """Only the fonts that come with the report are embedded, whatever the machine has."""
    with pikepdf.open(BytesIO(case[2])) as document:
        names = {
            str(font.BaseFont).split("+")[1]
            for page in document.pages
            for font in page.Resources.get("/Font", {}).values()
        }
    # Where the machine has a font of its own by that name, it is named so; the bytes are ours all
    # the same.
    ours = {"Report-Sans", "Report-Sans-Semi-Bold", "Report-Mono", "Report-Signs"}
    assert names <= ours | {"Inter", "Inter-Semi-Bold", "DejaVu-Sans-Mono", "DejaVu-Sans"}


def test_every_sign_is_drawn(tmp_path: Path) -> None:
    """Greek letters and mathematical signs have pictures of their own, none that of a missing
    glyph."""
    lines = "".join(f"<p>{sign}</p>" for sign in SIGNS + "\U0010fffd")
    style = "@page{size:20mm 20mm;margin:4mm}p{font:24pt var(--sans);margin:0;break-after:page}"
    page = f'<html lang="en"><title>signs</title><style>{style}</style>{lines}'
    (tmp_path / "signs.pdf").write_bytes(pdf(page, b"{}", CREATED))
    subprocess.run(["pdftoppm", "-r", "60", "-gray", "signs.pdf", "sign"], cwd=tmp_path, check=True)
    *signs, missing = [path.read_bytes() for path in sorted(tmp_path.glob("sign-*.pgm"))]
    assert len(set(signs)) == len(SIGNS)
    assert missing not in signs


def test_nothing_is_fetched() -> None:
    """A picture that a hostile name smuggles in is not loaded, from the network or from the
    disk."""
    from auditkit.reports.pdf import _fetcher

    fetch = _fetcher()
    for url in ("http://example.org/x.png", "file:///etc/hostname", "ftp://example.org/x"):
        with pytest.raises(ValueError, match="a report loads nothing from outside"):
            fetch(url)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ImportError("No module named 'weasyprint'"), "pip install 'auditkit[pdf]'"),
        (
            OSError("cannot load library 'libgobject-2.0-0'"),
            "apt-get install --no-install-recommends libpango-1.0-0",
        ),
    ],
)
def test_what_is_missing_is_named(error: Exception, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without WeasyPrint or pango there is no PDF, and the reason names the line to run."""
    real = builtins.__import__

    def broken(name: str, *rest: Any) -> Any:
        if name == "weasyprint":
            raise error
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(PdfUnavailable) as caught:
        pdf("<p>", b"{}", CREATED)
    assert line in caught.value.reason


def test_reports_import_neither_torch_nor_user_code() -> None:
    """Importing and rendering reports loads no torch and no training code."""
    check = (
        "import sys, auditkit.reports\n"
        "assert not {'torch', 'weasyprint', 'auditkit.training', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
