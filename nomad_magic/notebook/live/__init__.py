"""The live view: what the page and the kernel say to each other."""
