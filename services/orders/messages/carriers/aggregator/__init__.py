"""Aggregator: the form in which tracking aggregators send to Karla, with all and new events."""
