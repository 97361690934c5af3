"""The analytics service: facts about orders, parcels and claims, and the figures made of them."""
