"""Prints the names of all tests of this folder."""
import sys, unittest

def names(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from names(test)
        else:
            yield test.id()

print(*sorted(names(unittest.defaultTestLoader.discover("."))), sep="\n")
