"""Which way a call went: to the first choice of its alias, or to a fallback.

This is what `Dimensions.route` holds; a call without an alias of its own has none.
"""

from typing import Final, Literal

RouteName = Literal["primary", "fallback"]
PRIMARY: Final[RouteName] = "primary"
FALLBACK: Final[RouteName] = "fallback"
