"""What of a provider's headers a client gets."""

from tokonomi.gateway.answer import passed


def test_a_client_gets_the_headers_that_concern_it_and_none_of_the_account() -> None:
    concern = [
        (b"content-type", b"application/json"),
        (b"x-request-id", b"req_1"),
        (b"retry-after", b"7"),
        (b"x-ratelimit-limit-requests", b"60"),
        (b"openai-processing-ms", b"12"),
        (b"openai-version", b"2020-10-01"),
        (b"cache-control", b"no-store"),
    ]
    others = [
        (b"openai-organization", b"acme"),
        (b"openai-project", b"proj_1"),
        (b"set-cookie", b"a=b"),
        (b"x-tokonomi-cost", b"0 USD"),
        (b"server", b"x"),
        (b"content-length", b"7"),
    ]
    assert passed([*others, *concern]) == concern
