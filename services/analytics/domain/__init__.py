"""The facts that events hold about orders, parcels and claims: frozen values, pure functions."""
