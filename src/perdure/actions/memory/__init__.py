"""Facts, lore and proposals changed by the user."""
