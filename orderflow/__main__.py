"""`python -m orderflow`: the same as the command `orderflow`."""

from orderflow.main import app

if __name__ == "__main__":
    app(prog_name="orderflow")
