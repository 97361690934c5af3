"""The analytics service: facts about orders, parcels and claims, and the report on them."""
