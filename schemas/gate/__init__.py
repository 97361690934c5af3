"""The gate: no change of the contract may break a reader of a released version.

    python -m schemas.gate --check      1 and every break, with whom it breaks and what to do
    python -m schemas.release           freeze today's contract as the next release

It is a tool of the checkout: nothing that runs imports it.
"""
