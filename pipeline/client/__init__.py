"""Client: work with a library through the server that serves it (`momentseek serve`)."""
