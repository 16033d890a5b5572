"""What a trained model is asked besides its answers on the records: one query a file."""
