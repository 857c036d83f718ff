"""What every room may use: identities, errors, progress, seeds, canonical JSON, digests of code."""
