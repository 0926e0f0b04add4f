"""The way from a file to the answer: preprocessing and postprocessing on both sides, and what differs by which."""
