"""The hands that reach the remote: HTTP, proven listings, and objects by kind."""
