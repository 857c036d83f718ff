"""The page as a PDF for the files: PDF/A-3a, tagged for PDF/UA-1, with the evidence attached."""

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from typing import Any
from warnings import catch_warnings, simplefilter

from auditkit.reports.font_files import FALLBACK, MONO, REGULAR, SEMIBOLD

_FACES = (
    ("Report Sans", 400, REGULAR),
    ("Report Sans", 600, SEMIBOLD),
    ("Report Mono", 400, MONO),
    ("Report Signs", 400, FALLBACK),
)

# Names of our own: a font of the same name on the machine would otherwise be taken instead.
_STYLE = (
    "".join(
        f'@font-face{{font-family:"{family}";font-weight:{weight};src:url("{path.as_uri()}")}}'
        for family, weight, path in _FACES
    )
    + ':root{--sans:"Report Sans","Report Signs";--mono:"Report Mono","Report Signs"}'
)

_PANGO = (
    "the PDF needs the system library pango; run `apt-get install --no-install-recommends libpango-1.0-0"
    " libpangoft2-1.0-0 libharfbuzz-subset0` (Debian, Ubuntu) or `brew install pango` (macOS); report.html"
    " says the same"
)
_PACKAGES = "the PDF needs two more packages; run `pip install 'auditkit[pdf]'`; report.html says the same"

# WeasyPrint writes the tags that PDF/UA-1 asks for but names one standard only (Kozea/WeasyPrint
# #2783). PDF/A wants the schema of every other name described in the same rdf:RDF.
_UA = """
<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/">
<pdfuaid:part>1</pdfuaid:part></rdf:Description>
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
 xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"
 xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:schema>PDF/UA Universal Accessibility Schema</pdfaSchema:schema>
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
<pdfaProperty:name>part</pdfaProperty:name>
<pdfaProperty:valueType>Integer</pdfaProperty:valueType>
<pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>Part of ISO 14289 that the file follows</pdfaProperty:description>
</rdf:li></rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>
"""


class PdfUnavailable(Exception):  # noqa: N818 - not a fault: the page is there all the same
    """No PDF can be made on this machine. reason: what is missing, and the line to run."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def pdf(html: str, evidence_json: bytes, created: str) -> bytes:
    """A report page as PDF/A-3a that also declares PDF/UA-1. Equal input gives equal bytes.

    Nothing is fetched but the fonts that come with the report. Source: ISO 19005-3, ISO 14289-1;
    the identifiers declare conformance, they do not prove it.

    Args:
        html: the page of `render`.
        evidence_json: attached as evidence.json, byte for byte, relationship Data.
        created: ISO 8601 time of the attachment.

    Returns:
        The PDF's bytes.

    Raises:
        PdfUnavailable: where WeasyPrint, pikepdf or pango is missing.
    """
    weasyprint, pikepdf = _libraries()
    fetch = _fetcher()
    fonts = weasyprint.text.fonts.FontConfiguration()
    time = datetime.fromisoformat(created)
    attachment = weasyprint.Attachment(
        string=evidence_json,
        name="evidence.json",
        description="All that the audit found, canonical JSON (RFC 8785)",
        created=time,
        modified=time,
        relationship="Data",
    )
    with catch_warnings():
        # WeasyPrint 70 leaves its colour profile's file to the collector.
        simplefilter("ignore", ResourceWarning)
        written = weasyprint.HTML(string=html, url_fetcher=fetch).write_pdf(
            stylesheets=[weasyprint.CSS(string=_STYLE, url_fetcher=fetch, font_config=fonts)],
            font_config=fonts,
            attachments=[attachment],
            pdf_variant="pdf/a-3a",
            pdf_identifier=sha256(html.encode() + evidence_json).digest()[:16],
        )
    return _finish(pikepdf, written)


def _libraries() -> tuple[Any, Any]:
    """WeasyPrint and pikepdf. Imported late: the page must be there also where they are not."""
    try:
        with catch_warnings():
            # Without harfbuzz-subset WeasyPrint 70 warns, and embeds fonts by other means: the PDF
            # is as good, but carries the time it was made in its fonts.
            simplefilter("ignore", DeprecationWarning)
            import pikepdf
            import weasyprint
            import weasyprint.text.fonts
    except ImportError as error:
        raise PdfUnavailable(f"{_PACKAGES} ({error})") from error
    except OSError as error:
        raise PdfUnavailable(f"{_PANGO} ({error})") from error
    return weasyprint, pikepdf


def _fetcher() -> Callable[[str], Any]:
    """Opens data: URLs and our fonts, refuses all else: names in a claim must not reach out."""
    from weasyprint.urls import URLFetcher

    fetcher = URLFetcher(allowed_protocols=("data", "file"), allow_redirects=False)
    allowed = {path.as_uri() for _, _, path in _FACES}

    def fetch(url: str) -> Any:
        if not url.startswith("data:") and url not in allowed:
            raise ValueError(f"a report loads nothing from outside: {url}")
        return fetcher.fetch(url)

    return fetch


def _finish(pikepdf: Any, written: bytes) -> bytes:
    """Adds the PDF/UA-1 identifier to the one rdf:RDF of the metadata; a second one would be
    ignored."""
    out = BytesIO()
    with pikepdf.open(BytesIO(written)) as document:
        head, end, tail = document.Root.Metadata.read_bytes().partition(b"</rdf:RDF>")
        assert end, "WeasyPrint writes its metadata in another way"
        document.Root.Metadata.write(head + _UA.encode() + end + tail)
        document.Root.AF = document.Root.AF[:1]  # WeasyPrint 70 lists the one attachment twice
        document.save(out, deterministic_id=True)
    return out.getvalue()
