"""`python -m openhcs` is the command `openhcs`."""

from openhcs.cli import main

if __name__ == "__main__":
    main()
