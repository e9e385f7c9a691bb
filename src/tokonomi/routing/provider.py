"""A provider as it is configured: where it is, what it speaks, how long it may take."""

from typing import Literal

import msgspec

Egress = Literal["openai", "azure", "anthropic", "gemini"]
"""What a provider speaks: OpenAI's interface, the same with Azure's addresses and key header,
Anthropic's messages, or Gemini's generateContent."""

Spoken = Literal["chat", "responses", "messages"]
"""A dialect that a provider may speak besides: OpenAI's chat completions and responses, or
Anthropic's messages, under the same address."""
TlsVersion = Literal["1.2", "1.3"]

OnDisconnect = Literal["cancel", "drain", "estimate"]
"""What becomes of a call whose client has left; see `gateway.disconnect`."""

BatchForm = Literal["native", "none"]
"""Whether a provider takes batches: `native` as OpenAI does, with files of lines; `none` not."""

PrefixForm = Literal["none", "trailing", "flagged", "echoed", "vllm"]
"""How a provider is given the beginning of an answer that it is to continue. `trailing`: as the
last message, from the assistant, as Anthropic (older models) and llama.cpp take it. `flagged`: the
same with `prefix: true`, as DeepSeek's beta takes it. `echoed`: like that, and the answer repeats
the beginning, as Mistral does. `vllm`: with vLLM's and SGLang's own fields. `none`: not at all."""


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
    """Whom to call. Its key is named here, and never stands here.

    Attributes:
        base_url: up to and with the version, such as `https://api.openai.com/v1`.
        api_key_env: environment variable that holds the provider's key.
        api_key_file: file that holds it, when no variable does.
        api_key_stored: whether it is the store's secret `providers/NAME`.
        dialect: what it speaks.
        also: what it speaks besides; clients of such a dialect are passed on byte for byte.
        azure_api_version: of Azure's addresses with the deployment in the path; left out, its v1
            addresses are called.
        price_as: the provider's name in the price book; the section's own name when empty.
        allow_private: whether `base_url` may lead to a private network or to this host.
        ca_file: certificates to trust besides the system's, in PEM.
        client_cert_file: certificate that we show, in PEM, with its key unless that has a file.
        client_key_file: key of that certificate.
        tls_minimum: the oldest version of TLS that is spoken.
        server_name: the name that its certificate must have, when it is not that of `base_url`.
        on_disconnect: what becomes of a call whose client has left; when left out, a stream is
            cancelled, and a whole answer is read to its end.
        prefix: how it is given the beginning of an answer that broke off elsewhere.
        batch: whether it takes batches.
        timeouts: how long it may take.
    """

    base_url: str
    api_key_env: str = ""
    api_key_file: str = ""
    api_key_stored: bool = False
    dialect: Egress = "openai"
    also: tuple[Spoken, ...] = ()
    azure_api_version: str = ""
    price_as: str = ""
    allow_private: bool = False
    ca_file: str = ""
    client_cert_file: str = ""
    client_key_file: str = ""
    tls_minimum: TlsVersion = "1.2"
    server_name: str = ""
    on_disconnect: OnDisconnect | None = None
    prefix: PrefixForm = "none"
    batch: BatchForm = "none"
    timeouts: Timeouts = Timeouts()
