"""The MCP endpoint: each kind is a tool; a call is a decision; its answer carries verdict and outcome.

Over streamable HTTP at /mcp, behind the door like everything else that is served, and over standard input and output
by `lictor mcp`. The library `mcp` is imported when the first request comes.
"""
