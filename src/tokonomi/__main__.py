"""`python -m tokonomi` is `tokonomi`."""

from tokonomi.cli import main

main()
