"""`headrace doctor`: what is wrong with a running installation, in words, and what to do.

Law: no check changes anything, each has a deadline, and one that fails takes no other down. What is asked (I/O) and
what is made of it (pure verdicts) are functions of their own. Neighbours: `command` is the command, `checks` has all of
them, `docs/how-to/doctor.md` says what each means.
"""
