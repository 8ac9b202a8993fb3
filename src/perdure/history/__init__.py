"""Everything git: commits, refs, locks, leases, journals, the timeline."""
