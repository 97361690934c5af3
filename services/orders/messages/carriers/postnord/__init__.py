"""PostNord: shipments with items and events, of Track and Trace version 5."""
