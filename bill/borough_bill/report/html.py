"""The bill as one page that needs no other: for a screen, a phone, a dark room or a printer.

A file of its own because it alone needs Jinja, which is an extra.
"""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from borough_bill.analysis.bill import Bill
from borough_bill.report.plots import figure
from borough_bill.report.sections import Section, mood, sections, title, verdict

_environment = Environment(
    loader=PackageLoader("borough_bill.report", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def html(bill: Bill) -> str:
    """The whole report with its figures, complete in itself."""

    def drawn(section: Section) -> Markup:
        return Markup(figure(bill, section.figure))  # noqa: S704  # drawn here, from escaped text

    return _environment.get_template("template.html.j2").render(
        bill=bill,
        mood=mood(bill),
        drawn=drawn,
        sections=tuple(sections(bill)),
        title=title(bill),
        verdict=verdict(bill),
    )
