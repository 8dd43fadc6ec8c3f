"""The bill as one self-contained HTML page, for screen, phone and print, in light and dark.

A file of its own because it alone needs Jinja, which is an extra.
"""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from borough_bill.analysis.bill import Bill
from borough_bill.report.plots import figure
from borough_bill.report.sections import Section, overall, sections, title, validity

_environment = Environment(
    loader=PackageLoader("borough_bill.report", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def html(bill: Bill) -> str:
    """The whole report with its figures, without references to other files."""

    def drawn(section: Section) -> Markup:
        return Markup(figure(bill, section.figure))  # noqa: S704  # matplotlib escapes the text

    return _environment.get_template("template.html.j2").render(
        bill=bill,
        overall=overall(bill),
        drawn=drawn,
        sections=tuple(sections(bill)),
        title=title(bill),
        validity=validity(bill),
    )
