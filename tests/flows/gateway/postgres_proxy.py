"""A PostgreSQL server behind a socket that fails as networks do, at chosen moments."""

import contextlib
import socket
import threading
from pathlib import Path

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""The simple query `COMMIT`, as it stands on the wire."""
SOCKET = ".s.PGSQL.5432"


class FaultyProxy:
    """Listens in a folder, for the server that listens in another.

    Attributes:
        lose_every: of so many commits the answer of one is lost: the server has done what it was
            asked, its client sees the connection end. 0 loses none.
        lost: answers that were lost.
    """

    def __init__(self, folder: Path, server_folder: Path) -> None:
        folder.mkdir()
        self.lose_every = 0
        self.lost = 0
        self._server = str(server_folder / SOCKET)
        self._lock = threading.Lock()
        self._commits = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Takes no new connection; those that are open end with their client."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._server)
            back = threading.Thread(target=self._bring_back, args=(server, client), daemon=True)
            back.start()
            while data := _received(client):
                if data.endswith(COMMIT) and self._is_to_be_lost():
                    client.shutdown(socket.SHUT_RDWR)
                _send(server, data)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            back.join()

    def _bring_back(self, server: socket.socket, client: socket.socket) -> None:
        while data := _received(server):
            _send(client, data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _is_to_be_lost(self) -> bool:
        with self._lock:
            self._commits += 1
            loses = self.lose_every > 0 and self._commits % self.lose_every == 0
            self.lost += loses
            return loses


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except OSError:
        return b""


def _send(connection: socket.socket, data: bytes) -> None:
    """Nothing: what the other side does not take any more is gone."""
    with contextlib.suppress(OSError):
        connection.sendall(data)
