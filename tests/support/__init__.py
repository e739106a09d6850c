"""What several test folders share: agents to run against, and a shell to run cells in."""
