"""Sends what is stored: who is next, each attempt, and what it means for the rows."""
