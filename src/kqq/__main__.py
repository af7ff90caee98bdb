"""`python -m kqq` is the same as the command `kqq`."""

from kqq.cli import main

if __name__ == "__main__":
    main()
