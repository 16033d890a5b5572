"""Where models are trained besides this process: one protocol, one file for each way."""
