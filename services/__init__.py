"""The services, and the runtime they share; services meet only on topics."""
