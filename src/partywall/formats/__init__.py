"""Text formats that the server and the command-line client read in the same way."""
