"""The rig in virtual time: the real policy code of `lictor.capacity` under a discrete-event loop, exact for a seed."""
