"""The fault campaign (`make chaos`): seeded traffic, seeded faults, a checker outside."""
