"""Keys of providers and of the webhook: from the environment, a file, or the store's secrets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tokonomi.configuration.alerts import Alerts
from tokonomi.errors import BadConfig
from tokonomi.routing.provider import Provider
from tokonomi.storage.location import MasterKeyPlace
from tokonomi.storage.master_keys import Sealed, read_master_keys
from tokonomi.storage.secret_store import WEBHOOK, provider_secret


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process finds around it, which differs between the gateways of one store.

    Attributes:
        environ: the environment.
        folder: relative paths of the configuration count from here.
        master_keys: where those are that open the store's secrets.
    """

    environ: Mapping[str, str] = field(repr=False)
    folder: Path
    master_keys: MasterKeyPlace

    def path(self, text: str) -> str:
        """A path of the configuration; empty when it is."""
        return str(self.folder / text) if text else ""

    def provider_key(self, name: str, provider: Provider, sealed: Mapping[str, Sealed]) -> str:
        """The provider's key, empty when it names none.

        Raises:
            BadConfig: the variable is not set, the file cannot be read, or the secret not opened.
        """
        section = f"providers.{name}"
        if provider.api_key_stored:
            return self._stored(section, provider_secret(name), sealed)
        return self._stated(section, provider.api_key_env, provider.api_key_file)

    def signing_secret(self, alerts: Alerts, sealed: Mapping[str, Sealed]) -> str:
        """The secret that signs what the webhook is sent.

        Raises:
            BadConfig: it is not there, or empty.
        """
        if alerts.secret_stored:
            return self._stored("alerts", WEBHOOK, sealed)
        secret = self._stated("alerts", alerts.secret_env, alerts.secret_file)
        if not secret:
            raise BadConfig(f"alerts: the key file {alerts.secret_file} is empty")
        return secret

    def _stored(self, section: str, name: str, sealed: Mapping[str, Sealed]) -> str:
        if name not in sealed:
            raise BadConfig(
                f"{section}: the store has no secret {name}",
                remedy=f"Set it: tokonomi secrets set {name}",
            )
        return read_master_keys(self.master_keys, self.environ).open(name, sealed[name])

    def _stated(self, section: str, variable: str, file: str) -> str:
        return secret_in(section, variable, self.path(file), self.environ)


def secret_in(section: str, variable: str, file: str, environ: Mapping[str, str]) -> str:
    """The secret in a variable or in a file, empty where a section names neither.

    Raises:
        BadConfig: the variable is not set, or the file cannot be read.
    """
    if variable:
        secret = environ.get(variable, "").strip()
        if not secret:
            raise BadConfig(
                f"{section}: the environment variable {variable} is not set",
                remedy="Set it, or remove the section.",
            )
        return secret
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"{section}: the key file {file} cannot be read: {error}") from error
