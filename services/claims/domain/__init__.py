"""The rules of claims: frozen values, pure functions."""
