"""``python -m service`` is ``etude``."""

from service.cli import main

main()
