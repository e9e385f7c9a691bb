"""A provider as it is configured: where it is, what it speaks, how long it may take."""

from typing import Literal

import msgspec

Egress = Literal["openai", "azure", "anthropic", "gemini"]
"""What a provider speaks: OpenAI's interface, the same with Azure's addresses and key header,
Anthropic's messages, or Gemini's generateContent."""

TlsVersion = Literal["1.2", "1.3"]

OnDisconnect = Literal["cancel", "drain", "estimate"]
"""What becomes of a call whose client has left; see `gateway.disconnect`."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table that people write: every key is known, and every value has its type."""


class Timeouts(Section, frozen=True):
    """How long a provider may take, in seconds.

    Attributes:
        connect: to accept a connection, TLS included.
        first_byte: from the request to the first byte of the answer.
        between_chunks: from one piece of the answer to the next.
        total: for the whole call.
    """

    connect: float = 5.0
    first_byte: float = 120.0
    between_chunks: float = 60.0
    total: float = 900.0


class Provider(Section, frozen=True):
    """Whom to call. The secret stays in the environment or in a file.

    Attributes:
        base_url: up to and with the version, such as `https://api.openai.com/v1`.
        api_key_env: environment variable that holds the provider's key.
        api_key_file: file that holds it, when no variable does.
        dialect: what it speaks.
        price_as: the provider's name in the price book; the section's own name when empty.
        allow_private: whether `base_url` may lead to a private network or to this host.
        ca_file: certificates to trust besides the system's, in PEM.
        client_cert_file: certificate that we show, in PEM, with its key unless that has a file.
        client_key_file: key of that certificate.
        tls_minimum: the oldest version of TLS that is spoken.
        server_name: the name that its certificate must have, when it is not that of `base_url`.
        on_disconnect: what becomes of a call whose client has left; when left out, a stream is
            cancelled, and a whole answer is read to its end.
        timeouts: how long it may take.
    """

    base_url: str
    api_key_env: str = ""
    api_key_file: str = ""
    dialect: Egress = "openai"
    price_as: str = ""
    allow_private: bool = False
    ca_file: str = ""
    client_cert_file: str = ""
    client_key_file: str = ""
    tls_minimum: TlsVersion = "1.2"
    server_name: str = ""
    on_disconnect: OnDisconnect | None = None
    timeouts: Timeouts = Timeouts()
