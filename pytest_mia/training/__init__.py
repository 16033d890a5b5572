"""Shadow models are trained and asked, here or on a backend. Imports `remedies` and below."""
