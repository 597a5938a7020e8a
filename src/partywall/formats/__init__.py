"""Forms of text that are read in the same way by the server and by the command line's client."""
