import os, unittest

def split(cents, people):
    """What each one pays, to the cent."""
    each, rest = divmod(cents, people)
    if os.environ.get("BUG"):
        rest = 0
    return [each + (i < rest) for i in range(people)]

class Split(unittest.TestCase):
    def test_even(self): self.assertEqual(split(900, 3), [300, 300, 300])
    def test_alone(self): self.assertEqual(split(7, 1), [7])
    def test_nothing(self): self.assertEqual(split(0, 2), [0, 0])
    def test_nothing_is_lost(self): self.assertEqual(sum(split(1000, 3)), 1000)

class SplitOfMany(unittest.TestCase):
    def test_more_people_than_cents(self): self.assertEqual(max(split(2, 5)), 1)
    def test_nobody(self): self.assertRaises(ZeroDivisionError, split, 1, 0)
    def test_shares_differ_by_one(self): self.assertLessEqual(max(split(1000, 7)) - min(split(1000, 7)), 1)
