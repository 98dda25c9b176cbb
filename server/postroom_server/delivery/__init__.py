"""The engine: lease, write, transmit, settle. Retry, verdict and lanes are pure decisions."""
