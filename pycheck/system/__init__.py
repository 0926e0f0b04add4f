"""The machine below everything: cache, archives, folders, processes, signals, memory."""
