"""What the command line asks and reads: questions, standard input, the backend wizard."""
