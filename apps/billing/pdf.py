"""An invoice as PDF. Latin text is in Helvetica; other characters in an Asian font that every reader has."""

from __future__ import annotations

from html import escape
from io import BytesIO
from itertools import groupby

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from apps.billing.documents import Document

_ASIAN = "STSong-Light"
_PLAIN = ParagraphStyle("plain", fontName="Helvetica", fontSize=9, leading=13)
_RIGHT = ParagraphStyle("right", parent=_PLAIN, alignment=2)
_TITLE = ParagraphStyle("title", parent=_PLAIN, fontSize=18, leading=24)
_WIDTHS = (84 * mm, 30 * mm, 30 * mm, 30 * mm)


def invoice_pdf(document: Document, language: str) -> bytes:
    """In the active language, which `language` names. The same document always gives the same bytes."""
    pdfmetrics.registerFont(UnicodeCIDFont(_ASIAN))
    target = BytesIO()
    title = _("Invoice %(number)s") % {"number": document.number}
    page = SimpleDocTemplate(target, pagesize=A4, leftMargin=18 * mm, rightMargin=18 * mm, title=title, invariant=1)
    page.build([*_head(document, title), _lines(document, language), Spacer(0, 6 * mm), _sums(document, language)])
    return target.getvalue()


def _say(text: str, style: ParagraphStyle = _PLAIN) -> Paragraph:
    """Each run of characters in a font that has them."""
    runs = groupby(text, key=_is_latin)
    marked = [(latin, escape("".join(run)).replace("\n", "<br/>")) for latin, run in runs]
    return Paragraph("".join(run if latin else f'<font name="{_ASIAN}">{run}</font>' for latin, run in marked), style)


def _is_latin(character: str) -> bool:
    try:
        character.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _head(document: Document, title: str) -> list[Flowable]:
    parties = [_party(document.parties.get(name, {})) for name in ("seller", "buyer")]
    facts = [_("Period: %(start)s to %(end)s") % {
        "start": date_format(document.starts_at, "SHORT_DATE_FORMAT"),
        "end": date_format(document.ends_at, "SHORT_DATE_FORMAT"),
    }]  # fmt: skip
    if document.finalised_at:
        facts.append(_("Date: %(day)s") % {"day": date_format(document.finalised_at, "SHORT_DATE_FORMAT")})
    if document.due_at and document.open:
        facts.append(_("Payable until: %(day)s") % {"day": date_format(document.due_at, "SHORT_DATE_FORMAT")})
    if document.status == "voided":
        facts.append(_("This invoice was voided."))
    who = Table([[_say(text) for text in parties]], colWidths=(87 * mm, 87 * mm))
    return [_say(title, _TITLE), Spacer(0, 4 * mm), who, Spacer(0, 4 * mm), _say("\n".join(facts)), Spacer(0, 6 * mm)]


def _party(party: dict[str, str]) -> str:
    return "\n".join(party[name] for name in ("name", "address", "tax_id") if party.get(name))


def _lines(document: Document, language: str) -> Table:
    rows = [[_say(_("Description")), *(_say(text, _RIGHT) for text in (_("Quantity"), _("Billed"), _("Amount")))]]
    rows += [
        [
            _say(line.text),
            _say(f"{line.quantity:,}", _RIGHT),
            _say(f"{line.billable:,}", _RIGHT),
            _say(document.shown(line.units, language), _RIGHT),
        ]
        for line in document.lines
    ]
    style = [("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black), ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.grey)]
    return Table(rows, colWidths=_WIDTHS, repeatRows=1, style=TableStyle([*style, ("VALIGN", (0, 0), (-1, -1), "TOP")]))


def _sums(document: Document, language: str) -> Table:
    sums = [(_("Net"), document.net)]
    sums += [(" ".join(filter(None, [tax.name, f"{tax.percent} %", tax.reason])), tax.units) for tax in document.taxes]
    sums.append((_("Total"), document.total))
    paid = ((_("Prepaid credit"), document.wallet), (_("Paid"), document.paid), (_("Credited"), document.credited))
    sums += [(name, -units) for name, units in paid if units]
    sums.append((_("To be paid"), document.open))
    rows = [["", _say(name), _say(document.shown(units, language), _RIGHT)] for name, units in sums]
    return Table(rows, colWidths=(84 * mm, 60 * mm, 30 * mm))
