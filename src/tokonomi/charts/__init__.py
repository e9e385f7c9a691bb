"""Charts: pure functions from plain figures to pictures, drawn by Altair.

Amounts are binary fractions here: a picture has no last digit. Tables beside it have all of them.
The extra `charts` brings what this room imports; nothing else of the package needs it.
"""
