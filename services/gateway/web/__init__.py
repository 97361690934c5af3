"""HTTP: connections and their limits, routes, bodies, answers."""
