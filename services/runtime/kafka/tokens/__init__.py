"""Tokens for logins to Kafka by SASL OAUTHBEARER (RFC 7628)."""
