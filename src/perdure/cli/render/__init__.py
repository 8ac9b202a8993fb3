"""What the command line prints.

Line: text for people, sanitised, in colour where the terminal has it. Record: the same as JSON,
with the keys that the documents promise. Progress: one line on stderr while something long is read.

Begin with `output`, through which everything is printed; the others print one kind of thing each.
"""
