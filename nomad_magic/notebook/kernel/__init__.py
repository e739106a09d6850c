"""What is asked of the kernel and of IPython."""
