"""Opens browsers: starts them with Playwright or as a command, asks for them, or waits for a person to open one."""
