"""`python -m vivace` is the command line."""

from vivace.cli.main import main

if __name__ == "__main__":
    main()
