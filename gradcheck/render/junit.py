"""JUnit test reports: cases that fail or don't, as XML that nothing in them can end."""

from collections.abc import Sequence
from xml.etree import ElementTree

from gradcheck.render.style import without_controls


def suite(command: str, cases: Sequence[ElementTree.Element]) -> str:
    """Return a test report of these tests."""
    failures = sum(len(one) for one in cases)
    counts = {"tests": str(len(cases)), "failures": str(failures), "errors": "0"}
    root = ElementTree.Element("testsuites")
    ElementTree.SubElement(root, "testsuite", {"name": f"gradcheck {command}", **counts}).extend(cases)
    ElementTree.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + ElementTree.tostring(root, encoding="unicode") + "\n"


def case(subject: str, name: str, failure: str, text: str) -> ElementTree.Element:
    """Return a test, which fails if a failure is named."""
    made = ElementTree.Element("testcase", {"classname": subject, "name": without_controls(name)})
    if failure:
        element = ElementTree.SubElement(made, "failure", {"message": failure, "type": failure})
        element.text = "\n".join(map(without_controls, text.split("\n")))
    return made
