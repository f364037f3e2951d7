"""What every token has to be, whoever signed it."""

# Signed by a key that this server can check with but never sign with: no `none`, no shared secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LEEWAY = 60  # seconds by which clocks may differ
