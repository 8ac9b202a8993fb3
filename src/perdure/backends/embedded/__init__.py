"""The embedded driver: llama.cpp in this process."""
