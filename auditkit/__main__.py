"""`python -m auditkit` and the `auditkit` command."""

from auditkit.cli import main

if __name__ == "__main__":
    main()
