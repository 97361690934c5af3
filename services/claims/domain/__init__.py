"""The rules of claims: frozen values and pure functions."""
