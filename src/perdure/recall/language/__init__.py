"""Words, stems, languages and times in what was said; `words.py` first.

Word: letters between spaces, or two characters in a row where a script has no spaces.
Stem: a word without its ending. Irregular form: what no stemmer joins, as bought and buy.
Stop word: a word of grammar, which says nothing about what a question asks for.
Stretch, season: a time that a message speaks of, once or every year.
"""
