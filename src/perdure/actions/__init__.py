"""Everything that changes a companion: a plan, then one commit or one operation."""
