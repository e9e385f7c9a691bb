"""How a database answers what it is asked: by an index, or by reading a whole table."""

import re
from collections.abc import Sequence
from typing import Any, Final, cast

from tokonomi.storage.database import Cursor, Database, Value

_SCAN: Final = {
    "sqlite": re.compile(
        r"SCAN (\w+)(?! USING (?:COVERING )?INDEX \w+_(?:watched|to_tell|overrun))"
    ),
    "postgresql": re.compile(r"Seq Scan on (\w+)"),
}


class Explained:
    """A connection that looks at the plan of every query before it runs it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.scanned: set[str] = set()
        """The tables of which a query read every row."""
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def execute(self, sql: str, values: Sequence[Value] = ()) -> Cursor:
        if sql.lstrip().startswith("SELECT"):
            self.asked += 1
            self.scanned |= {*_SCAN[self._database.dialect].findall(self._plan(sql, values))}
        return self._database.execute(sql, values)

    def _plan(self, sql: str, values: Sequence[Value]) -> str:
        if self._database.dialect == "sqlite":
            rows = self._database.execute(f"EXPLAIN QUERY PLAN {sql}", values)
            return "\n".join(str(row[3]) for row in rows)
        return "\n".join(str(row[0]) for row in self._database.execute(f"EXPLAIN {sql}", values))


def explained(database: Database) -> tuple[Database, Explained]:
    """The connection twice: as those see it who use it, and as the test does."""
    watching = Explained(database)
    return cast("Database", watching), watching
