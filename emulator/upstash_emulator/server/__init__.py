"""The running emulator: one event loop in a thread, and the ports that it listens on."""
