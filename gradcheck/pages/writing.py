"""A page as one HTML file: a template, one style sheet, two scripts and the data, and nothing from elsewhere."""

import json
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from gradcheck.base.record import plain
from gradcheck.errors import MissingExtraError
from gradcheck.pages.packing import packed
from gradcheck.pages.page import HtmlPage, tone_of
from gradcheck.render.style import LOG_STYLES, STYLES, without_controls
from gradcheck.version import __version__

ASSETS = Path(__file__).parent / "assets"

#: The style sheet that Observable Plot puts into each chart, by its hash; a test in a browser fails if it changes.
STYLE_OF_CHARTS = "sha256-jSYQUrW7J0b3jPqhZP9C2Xh1PyJKHKXd4s0fpGGKrww="

#: What can't stand as it is in a script of HTML, nor in one of JavaScript.
IN_SCRIPTS = {ord(one): f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}


def written(page: HtmlPage) -> str:
    """Return a page as HTML that needs no network: a browser opens it from the disk.

    Raises
    ------
    MissingExtraError
        Jinja2 isn't installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise MissingExtraError("to_html()", "Jinja2", "jinja2") from error
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_readable,
        loader=FileSystemLoader(ASSETS),
    )  # fmt: skip
    data = json.dumps(packed(_data(page)), separators=(",", ":"), allow_nan=False).translate(IN_SCRIPTS)
    return environment.get_template("page.html").render(
        page=page, version=__version__, policy=_policy(), data=Markup(data), style=Markup(_asset("page.css")),
        charts=Markup(_asset("charts.js")), script=Markup(_asset("page.js")),
    )  # fmt: skip


def _data(page: HtmlPage) -> dict[str, Any]:
    """Return what is drawn by the page's script."""
    tones = {name: tone_of(name) for name in (*STYLES, *LOG_STYLES)}
    drawn: dict[str, Any] = _cleaned({"charts": plain(page.charts), "tables": plain(page.tables), "tones": tones})
    return drawn


def _cleaned(value: Any) -> Any:  # noqa: ANN401
    """Return JSON values without control characters: a layer's name may have any."""
    if isinstance(value, str):
        return without_controls(value)
    if isinstance(value, dict):
        return {name: _cleaned(one) for name, one in value.items()}
    return [_cleaned(one) for one in value] if isinstance(value, list) else value


def _readable(value: object) -> object:
    """Return what a template writes, of text its lines without control characters."""
    if type(value) is not str:  # what is marked as HTML stays as it is
        return value
    return "\n".join(map(without_controls, value.split("\n")))


def _policy() -> str:
    """Return the Content-Security-Policy: the page's own scripts and styles by their hashes, and nothing else."""
    scripts = " ".join(_hash(_asset(name)) for name in ("charts.js", "page.js"))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {_hash(_asset('page.css'))} '{STYLE_OF_CHARTS}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
