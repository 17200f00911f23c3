"""Tools for agents: searches a library over the Model Context Protocol, on stdio or streamable HTTP."""
