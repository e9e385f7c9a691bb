"""Who is told of events of budgets and wallets, besides the log."""

from tokonomi.routing.provider import Section


class Alerts(Section, frozen=True):
    """`[alerts]`.

    Attributes:
        webhook: address that each event is sent to.
        allow_private: whether it may lead to a private network or to this host.
        secret_env: environment variable with the secret that signs what is sent.
        secret_file: file that holds it, when no variable does.
        secret_stored: whether it is the store's secret `alerts/webhook`.
    """

    webhook: str = ""
    allow_private: bool = False
    secret_env: str = ""
    secret_file: str = ""
    secret_stored: bool = False
