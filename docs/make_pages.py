"""Makes the pages whose source is elsewhere: JSON field by field, the pages of ``gradcheck explain``, other READMEs.

Sphinx calls it; by hand: ``python docs/make_pages.py``, which writes ``docs/generated``.
"""

import re
from collections.abc import Iterator, Mapping
from os.path import normpath, relpath
from pathlib import Path
from typing import Any

from gradcheck.diagnosis.schema import REPORTS, json_schema
from gradcheck.explanations import TOPICS, Example, Topic

ROOT = Path(__file__).parents[1]

#: Documents outside of docs/ ↦ their pages below ``generated``.
ELSEWHERE = {
    "CONTRIBUTING.md": "about/contributing.md",
    "CHANGELOG.md": "about/changelog.md",
    "examples/README.md": "about/examples.md",
    "benchmarks/README.md": "about/benchmarks.md",
    "findings/README.md": "about/findings.md",
}

#: A link or a picture: its text, and where it leads.
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#:\s]+)\)")

#: Where rows of a table begin.
HEAD = ("| field | type | meaning |", "| --- | --- | --- |")

#: What Markdown would take for its own.
SPECIAL = re.compile(r"([\\`*_<>\[\]|#$])")

#: What a schema says beside a type ↦ how it is shown.
BOUNDS = {"minimum": "≥ {}", "maximum": "≤ {}", "exclusiveMinimum": "> {}", "exclusiveMaximum": "< {}"}


def write(folder: Path) -> None:
    """Write all pages; those that say the same already stay untouched, so that Sphinx needn't read them again."""
    for name, text in pages():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def pages() -> Iterator[tuple[str, str]]:
    """Yield each page: its name below the folder, and its text."""
    contents = {"explain": list(TOPICS), "json": list(REPORTS)}
    yield "explain/index.md", _index("The pages of gradcheck explain", _topics(), contents["explain"])
    yield "json/index.md", _index("JSON, field by field", _schemas(), contents["json"])
    yield from ((f"explain/{name}.md", _page(topic)) for name, topic in TOPICS.items())
    yield from ((f"json/{name}.md", _fields_of(name)) for name in REPORTS)
    yield from ((page, moved(document)) for document, page in ELSEWHERE.items())


def moved(document: str) -> str:
    """Return a document with its links as they are on its page; where a file has no page, the text alone."""
    home, page = Path(document).parent, Path("docs/generated", ELSEWHERE[document])

    def link(found: re.Match[str]) -> str:
        target = normpath(home / found[3])
        target = f"docs/generated/{ELSEWHERE[target]}" if target in ELSEWHERE else target
        if found[1] or (target.startswith("docs/") and target.endswith(".md")):
            return f"{found[1]}[{found[2]}]({relpath(target, page.parent)})"
        return found[2]

    return LINK.sub(link, (ROOT / document).read_text(encoding="utf-8"))


def _index(title: str, lines: Iterator[str], names: list[str]) -> str:
    tree = ("```{toctree}", ":hidden:", "", *names, "```")
    return "\n".join((f"# {title}", "", *lines, "", *tree, ""))


def _topics() -> Iterator[str]:
    yield "One screen each, as `gradcheck explain NAME` prints them.\n"
    yield "| page | |\n| --- | --- |"
    yield from (f"| [{name}]({name}.md) | {plain(topic.summary)} |" for name, topic in TOPICS.items())


def _schemas() -> Iterator[str]:
    yield "What `--json` writes, from the schemas that `gradcheck schema COMMAND` prints.\n"
    yield from (f"- [{json_schema(name)['title']}]({name}.md)" for name in REPORTS)


def plain(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return SPECIAL.sub(r"\\\1", text)


def _page(topic: Topic) -> str:
    """Return a page of explain."""
    parts = [f"# {topic.name}", f"**{plain(topic.summary)}**", plain(topic.what), plain(topic.why)]
    parts += ["\n".join(("```text", *topic.formula, "```"))] if topic.formula else []
    parts += [*_commands("See it", topic.examples), *_commands("Try", topic.try_next)]
    parts += [f"From: {plain('; '.join(topic.references))}"] if topic.references else []
    parts += [f"Also: {', '.join(f'[{name}]({name}.md)' for name in topic.related)}"] if topic.related else []
    return "\n\n".join(filter(None, parts)) + "\n"


def _commands(label: str, examples: tuple[Example, ...]) -> Iterator[str]:
    if examples:
        yield f"{label}:"
        yield "\n".join(f"- `{one.command}`{f' → {plain(one.shows)}' if one.shows else ''}" for one in examples)


def _fields_of(command: str) -> str:
    """Return the fields of a command's JSON, one table for each part of it."""
    lines = [
        f"# JSON of {json_schema(command)['title']}",
        "",
        f"`gradcheck schema {command}` prints the schema itself.",
        "",
    ]
    return "\n".join((*lines, *_tables(json_schema(command), ""))) + "\n"


def _tables(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the table of an object's fields, then those of the objects within it."""
    fields: Mapping[str, Any] = schema.get("properties", {})
    if path:
        yield f"## {path}\n"
    yield from HEAD
    yield from (f"| `{name}` | {_type(one)} | {plain(one.get('description', ''))} |" for name, one in fields.items())
    yield ""
    for name, one in fields.items():
        for inner, ending in _objects(one):
            yield from _tables(inner, f"{path}.{name}{ending}".lstrip("."))


def _objects(schema: Mapping[str, Any], ending: str = "") -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the objects with named fields that a field may hold, and how one gets at them."""
    if schema.get("properties"):
        yield schema, ending
    for one in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from _objects(one, ending)
    for part, more in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(schema.get(part), Mapping):
            yield from _objects(schema[part], ending + more)


def _type(schema: Mapping[str, Any]) -> str:
    """Return a field's type in words."""
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    several = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    if several:
        return " or ".join(dict.fromkeys(map(_type, several)))
    kinds = schema.get("type", "any")
    words = [kinds] if isinstance(kinds, str) else list(kinds)
    if "array" in words and isinstance(schema.get("items"), Mapping):
        words[words.index("array")] = f"array of {_type(schema['items'])}"
    bounds = [how.format(schema[name]) for name, how in BOUNDS.items() if name in schema]
    return plain(" ".join((" or ".join(words), *bounds)))


if __name__ == "__main__":
    write(Path(__file__).with_name("generated"))
