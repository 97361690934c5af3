"""What operators do: API keys are made, listed and revoked."""
