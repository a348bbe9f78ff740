"""Pages for everybody: no log-in, no cookie, correct without JavaScript. What changes something is a POST."""
