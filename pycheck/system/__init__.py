"""Services of the machine: cache, archives, folders, processes, signals, memory."""
