"""What every room needs: errors, settings, the request, seeds, types and texts. Imports no other room."""
