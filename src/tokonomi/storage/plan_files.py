"""Reads scenarios: the bundled templates, and files that may build on others."""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from tokonomi.errors import BadPlan, NotFound
from tokonomi.naming import meant
from tokonomi.plan.document import Node, laid_over, read_document

_SUFFIX: Final = ".toml"


def template_names() -> list[str]:
    """The names of the bundled templates."""
    return sorted(_bundled())


def load_template(name: str) -> Node:
    """The values of a bundled template, over those of the one that it extends.

    Raises:
        NotFound: there is no such template.
    """
    return _template(name, ())


def load_scenario(path: Path) -> Node:
    """The values of a scenario's file, over those of what it extends.

    `extends` names a template, or a file by its path from this one.

    Raises:
        BadPlan: the file cannot be read or is not TOML, or files extend each other in a circle.
    """
    return _file(path, ())


def _bundled() -> dict[str, Traversable]:
    folder = files("tokonomi.catalogue").joinpath("plans")
    found = (file for file in folder.iterdir() if file.name.endswith(_SUFFIX))
    return {file.name.removesuffix(_SUFFIX): file for file in found}


def _template(name: str, on_the_way: tuple[str, ...]) -> Node:
    bundled = _bundled()
    if name not in bundled:
        raise NotFound(f'there is no template "{name}"', remedy=meant(name, sorted(bundled)))
    text = bundled[name].read_text(encoding="utf-8")
    return _extended(read_document(text, f"{name}{_SUFFIX}"), None, (*on_the_way, name))


def _file(path: Path, on_the_way: tuple[str, ...]) -> Node:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        reason = wrong.strerror if isinstance(wrong, OSError) else wrong
        raise BadPlan(
            f"the scenario {path} cannot be read: {reason}",
            remedy=f"Check the path, or name a template: {', '.join(template_names())}.",
        ) from wrong
    name = str(path.resolve())
    return _extended(read_document(text, path.name), path.parent, (*on_the_way, name))


def _extended(document: Node, folder: Path | None, on_the_way: tuple[str, ...]) -> Node:
    node = document.children().get("extends")
    if node is None:
        return document
    base = str(node.value)
    for name in _names(base, folder):
        if name in on_the_way:
            circle = " -> ".join(Path(each).name for each in (*on_the_way, name))
            raise BadPlan(
                f"{node.where}: scenarios extend each other in a circle: {circle}",
                remedy="Take extends out of one of them.",
            )
    if base in _bundled():
        below = _template(base, on_the_way)
    elif folder is not None:
        below = _file(folder / base, on_the_way)
    else:
        raise NotFound(f'{node.where} extends "{base}", which is no template')
    return laid_over(below, document)


def _names(base: str, folder: Path | None) -> Iterator[str]:
    yield base
    if folder is not None:
        yield str((folder / base).resolve())
