"""A companion as of one commit, read only."""
