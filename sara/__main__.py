"""`python -m sara` is `sara`."""

from sara.cli import main

main()
