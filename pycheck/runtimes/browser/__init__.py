"""One page of a browser for each runtime, the server that it loads from, and what it proves about itself."""
