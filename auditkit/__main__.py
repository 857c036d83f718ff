"""`python -m auditkit` and the `auditkit` command."""

from auditkit.cli.main import main

if __name__ == "__main__":
    main()
