"""UPS: answers of its Tracking API, pushes of Track Alert, Quantum View, and the older XML."""
