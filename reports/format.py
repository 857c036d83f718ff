"""How numbers and values are written. Rounding and units only: nothing is computed or decided
here."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from matplotlib.ticker import EngFormatter

from auditkit.reports.labels import ARM_ORDER, AT_LEAST

Record = Mapping[str, Any]  # a dataclass of auditkit.evidence.schema, as JSON gives it back


def decimal(value: float | None) -> str:
    """A number as the report writes it: three decimals, a true minus sign, never "-0.000".
    None, a value that is not defined, says so."""
    if value is None:
        return "not defined"
    text = f"{value:.3f}"
    return text.lstrip("-") if not text.strip("-0.") else text.replace("-", "−")


def exact(value: float | None) -> str:
    """A number that was set, not measured (a margin, a radius), as it was set. None is "none"."""
    return "none" if value is None else f"{value:.6g}"


def bound(finding: Record) -> str:
    """The margin of a test as it was set: "±0.2", "at most 0.01", "at least 0.8", or "none"."""
    if finding["margin"] is None:
        return "none"
    one_sided = "at least " if finding["test"] in AT_LEAST else "at most "
    return ("±" if finding["two_sided"] else one_sided) + exact(finding["margin"])


def interval(number: Record) -> str:
    """A `Number`'s interval, "[low, high]"; an end that it does not have is "unbounded". Empty for
    a number that comes without an interval, and for one that is not defined at all."""
    if number["confidence"] is None or {number["value"], number["low"], number["high"]} == {None}:
        return ""
    low, high = ("unbounded" if number[end] is None else decimal(number[end]) for end in ("low", "high"))
    return f"[{low}, {high}]"


def number(number: Record) -> str:
    """A `Number` with its interval, where it has one: "0.031 [−0.052, 0.114]"."""
    return " ".join(filter(None, (decimal(number["value"]), interval(number))))


def format_p(p: float | None) -> str:
    """A p-value to three decimals; one that would read 0.000 is "< 0.001", None is "none"."""
    if p is None:
        return "none"
    text = decimal(p)
    return "< 0.001" if text == "0.000" else text


def percent(share: float | None) -> str:
    """A confidence level as people say it: 0.9 is "90 %". None is "no interval"."""
    return "no interval" if share is None else f"{share:.1%}".replace(".0%", "%").replace("%", " %")


def size(number: Record) -> str:
    """What a `Number` was computed from: "20 runs, 90 records"."""
    return f"{counted(number['n_runs'], 'run')}, {counted(number['n_records'], 'record')}"


def counted(count: int, noun: str) -> str:
    """A count with its noun: "1 run", "1,200 runs"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def bases(numbers: Iterable[Record]) -> list[str]:
    """How these `Number`s were computed, each way once: "method (source), 90 % interval"."""
    ways = (f"{n['method']} ({n['source']}), {confidence(n)}" for n in numbers)
    return list(dict.fromkeys(ways))


def confidence(number: Record) -> str:
    """The level of a `Number`'s interval in words: "90 % interval", "upper bound at 95 %
    confidence" where it has that end alone, or "no interval"."""
    level = percent(number["confidence"])
    ends = [end for end in ("low", "high") if number[end] is not None]
    if number["confidence"] is None:
        return level
    if len(ends) == 1:
        return f"{'lower' if ends == ['low'] else 'upper'} bound at {level} confidence"
    return f"{level} interval"


def wider(finding: Record) -> str:
    """The interval over runs and records together, which must lie outside the margin to refute;
    empty for a test that has none."""
    both = finding["refuting"]
    return f"[{decimal(both['low'])}, {decimal(both['high'])}]" if both else ""


def phrase(value: object) -> str:
    """Any value of a claim in words: text as it is, mappings as "key = value", without their
    None."""
    match value:
        case None:
            return "not stated"
        case bool():
            return "yes" if value else "no"
        case Mapping():
            known = {key: inner for key, inner in value.items() if inner is not None}
            return ", ".join(f"{key} = {_nested(inner)}" for key, inner in known.items())
        case list() | tuple():
            return ", ".join(map(_nested, value))
        case _:
            return str(value)


def _nested(value: object) -> str:
    return f"({phrase(value)})" if isinstance(value, Mapping | list | tuple) else phrase(value)


def title(key: str) -> str:
    """A key as a heading: "threat_model" is "Threat model"."""
    words = key.replace("_", " ")
    return words[:1].upper() + words[1:]


def clock(iso: str) -> str:
    """An ISO 8601 time to the minute: "2026-11-22 09:45 UTC"."""
    return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M %Z").strip()


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: "0:12:04"."""
    return str(timedelta(seconds=round(seconds)))


def memory(count: int) -> str:
    """A number of bytes with its unit: "1.2 GB"."""
    return str(EngFormatter(unit="B", places=1)(count))


def in_order(names: Iterable[str], order: Sequence[str] = ARM_ORDER) -> list[str]:
    """Names (or the keys of a mapping) in a literal order; those it does not know come last."""
    return sorted(names, key=lambda name: order.index(name) if name in order else len(order))


def markdown(text: str) -> str:
    """Text for Markdown, on one line and without effect: its signs are shown, not obeyed."""
    line = " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())
    line = re.sub(r"([\\`*_|~#])", r"\\\1", line)
    return re.sub(r"\](?=[(\[:])", r"\]", line)  # a bracket matters to Markdown only where it makes a link
