"""A shop with campaigns, and what they must come to: computed apart from the services."""
