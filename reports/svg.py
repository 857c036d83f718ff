"""Figures as SVG text to be put inside a page: deterministic, accessible, light and dark."""

import re
from io import StringIO
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

from auditkit.reports.font_files import REGULAR, SEMIBOLD

# Every colour of a figure: on paper and light screens, on dark screens. Figures use no other.
INK, MUTED, LINE, ACCENT, BAND = "#1d2733", "#5b6876", "#c3ccd5", "#0b5cad", "#dfeaf6"
DARK = {INK: "#e6eaee", MUTED: "#a3b0bd", LINE: "#46525e", ACCENT: "#7cc0ff", BAND: "#1c3550"}

_NAMESPACES = re.compile(r"\{[^}]*\}")


def inline(figure: Figure, name: str, title: str) -> str:
    """The figure as one <svg> element for an HTML page.

    name: unique within the page; every id inside begins with it, since ids of inlined SVGs share
    one name space. title: what the figure shows, read out by screen readers and the PDF's /Alt.
    Equal figures give equal text (svg.hashsalt). Raises nothing of its own.
    """
    _use_own_fonts(figure)
    with rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}), StringIO() as file:
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        root = ElementTree.fromstring(file.getvalue())
    _forget_namespaces(root)
    # matplotlib's style sheet has rules for "*", which here would be everything on the page.
    for child in [*root.findall("metadata"), *root.findall("defs[style]")]:
        root.remove(child)
    _styles_to_attributes(root)
    _own_ids(root, name)
    # Width and height are the page's to choose; the view box keeps the proportions.
    root.attrib = {
        "id": name,
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-labelledby": f"{name}-title",
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    heading = ElementTree.Element("title", {"id": f"{name}-title"})
    heading.text = title
    style = ElementTree.Element("style")
    style.text = _dark_rules(name)
    root[:0] = [heading, style]
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def standalone(svg: str) -> str:
    """A figure that `inline` made as a file of its own: with the name space that a page gives for
    nothing, and on white, as it may be shown on any ground."""
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" style="background:#ffffff" ', 1)


def _use_own_fonts(figure: Figure) -> None:
    """Draws all text in Inter from our files, whatever the machine has; "$" is no formula."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        face = SEMIBOLD if text.get_fontweight() == "bold" else REGULAR
        text.set_fontproperties(FontProperties(fname=str(face), size=text.get_fontsize()))
        text.set_parse_math(False)


def _forget_namespaces(root: ElementTree.Element) -> None:
    """HTML knows <svg> by its name, and today's browsers read href without its prefix."""
    for element in root.iter():
        element.tag = _NAMESPACES.sub("", element.tag)
        element.attrib = {_NAMESPACES.sub("", key): value for key, value in element.attrib.items()}


def _styles_to_attributes(root: ElementTree.Element) -> None:
    """Writes style="fill: x" as fill="x": a rule for dark screens then wins without force, and
    WeasyPrint does not take drawing properties for CSS that it does not know."""
    for element in root.iter():
        for declaration in filter(str.strip, element.attrib.pop("style", "").split(";")):
            key, value = declaration.split(":", 1)
            element.attrib[key.strip()] = value.strip()


def _own_ids(root: ElementTree.Element, name: str) -> None:
    """Prefixes the ids that something in the figure refers to, and drops the others."""
    used = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == "href" or value.startswith("url(#"):  # a colour begins with # too
                used.add(value.strip("url(#)"))
                element.attrib[key] = value.replace("#", f"#{name}-")
    for element in root.iter():
        identity = element.attrib.pop("id", None)
        if identity in used:
            element.attrib["id"] = f"{name}-{identity}"


def _dark_rules(name: str) -> str:
    # WeasyPrint skips the block, so the PDF keeps the light colours. A <style> holds for the whole
    # page, hence the name.
    rules = (
        f'#{name} [{kind}="{light}"]{{{kind}:{dark}}}'
        for light, dark in DARK.items()
        for kind in ("fill", "stroke")
    )
    return "@media screen and (prefers-color-scheme:dark){" + "".join(rules) + "}"
