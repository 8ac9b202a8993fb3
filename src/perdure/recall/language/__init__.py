"""Words, stems, languages and times in what was said."""
