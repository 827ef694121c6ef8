"""The control API under `/emulator`: programs in any language use it to control the emulator."""
