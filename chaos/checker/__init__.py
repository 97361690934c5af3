"""The checker: reads topics and tables from outside and counts what is wrong.

It imports nothing of the services: what it knows is the public contract, the right answers of the
generator, and the names of tables.
"""
