"""Why a reply came out as it did: its prompt, rebuilt and explained."""
