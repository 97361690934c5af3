"""Carriers that a tracking number may belong to, where no message names its carrier."""
