"""Our own form: `tracking.reported`, a message of the contract."""
