"""The command line `upstash-rotation`: it reads the states of stacks and changes nothing."""
