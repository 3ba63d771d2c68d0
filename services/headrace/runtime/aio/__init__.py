"""What asyncio leaves out: bounded channels, isolated tasks, and the process's only clocks."""
