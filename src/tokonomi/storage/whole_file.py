"""A file that a person named for a result: whole or not at all, and nothing else is replaced."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from tokonomi.errors import BadInput


@contextmanager
def whole_file(path: Path) -> Generator[Path]:
    """Where to write what `path` is to hold; leaving the block without an error puts it there.

    Links are followed. What stands there and is no regular file, such as a pipe or a device, is
    written into as it stands: it cannot be replaced without being destroyed.
    """
    real = Path(os.path.realpath(path))
    if not _may_be_replaced(path, real):
        yield path
        return
    temporary = real.with_name(f"{real.name}.{uuid4().hex}.temporary")
    try:
        yield temporary
        temporary.replace(real)
    finally:
        temporary.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Nothing: the content is in the file, whole or not at all.

    Raises:
        BadInput: the file cannot be written.
    """
    try:
        with whole_file(path) as target:
            target.write_bytes(content)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error}") from error


def _may_be_replaced(path: Path, real: Path) -> bool:
    """Whether a new file may take the place of what stands at `real`, where links lead.

    An open pipe that is named as `/dev/stdout` leads to no name at all, and exists.
    """
    return real.is_file() if os.path.lexists(real) else not path.exists()
