"""The page of the admin API lists every route, and no other."""

import re
from pathlib import Path

from tokonomi.admin.app import routes
from tokonomi.admin.stores import Stores
from tokonomi.storage.engine import open_store

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "admin-api.md"
IN_EVERY_ROUTE = {"OPTIONS", "HEAD"}


def test_the_page_lists_every_route_of_the_admin_api_and_no_other(tmp_path: Path) -> None:
    app = routes(Stores(lambda: open_store(tmp_path / "unused.db")))
    described = app.openapi_schema.to_schema()["paths"]
    served = {
        (method.upper(), path)
        for path, methods in described.items()
        for method in methods
        if method.upper() not in IN_EVERY_ROUTE
    }
    listed = re.findall(r"^\| `([A-Z]+) (/admin\S*)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {*listed} == served
