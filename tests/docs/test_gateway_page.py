"""The pages of the gateway name every error code, header and metric, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tokonomi.gateway.metrics import Metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "gateway.md").read_text("utf-8")
SOURCES = [path.read_text("utf-8") for path in (ROOT / "src/tokonomi/gateway").rglob("*.py")]


def wire_error_codes() -> Iterator[str]:
    for source in SOURCES:
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(
                    func=ast.Name(id="WireError"), args=[_, ast.Constant(value=str(code)), *_]
                ):
                    yield code
                case _:
                    pass


def test_the_page_lists_every_error_code_of_the_gateway_and_no_other() -> None:
    assert set(re.findall(r"^\| \d{3} \| `(\w+)` \|", PAGE, re.MULTILINE)) == {*wire_error_codes()}


def test_the_page_lists_every_header_of_ours_and_no_other() -> None:
    named = {name for text in SOURCES for name in re.findall(r'b"(x-tokonomi-[a-z-]*[a-z])"', text)}
    assert set(re.findall(r"^\| `(x-tokonomi-[a-z-]+)` \|", PAGE, re.MULTILINE)) == named


def test_the_page_lists_every_metric_with_its_type_and_labels_and_no_other() -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text("utf-8")
    listed = re.findall(r"^\| `(tokonomi_\w+)` \| (\w+) \| ([\w, ]*)\|", page, re.MULTILINE)
    collected = [
        (metric.name, metric.type, ", ".join(getattr(metric, "_labelnames", ())))
        for metric in Metrics().collect()
    ]
    assert [(name, kind, labels.strip()) for name, kind, labels in listed] == collected
