"""Missing features and defects of aiokafka 0.14, each in one module with what it does about it."""
