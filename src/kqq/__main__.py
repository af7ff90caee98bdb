"""The command `kqq`, also as `python -m kqq`."""

import signal


def main() -> None:
    """Run the command; Ctrl-C while it is still being loaded ends it without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from kqq.cli import main as run  # noqa: PLC0415  # what takes time comes after the line above

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
