"""Everything that speaks to a model: one protocol, its drivers, their errors."""
