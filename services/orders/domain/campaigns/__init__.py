"""Campaigns of shops: what held at a time, which campaign an order shows, which is credited."""
