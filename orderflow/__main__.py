"""`python -m orderflow`: the same as the command `orderflow`."""

import sys

if __name__ == "__main__":
    try:
        # Importing takes a second; Ctrl-C in it is no error either.
        from orderflow.main import app
    except KeyboardInterrupt:
        sys.exit(130)
    app(prog_name="orderflow")
