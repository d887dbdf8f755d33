package main

import "flag"

const defaultItems = 200_000

// manyItems makes the tests of large runs as large as one likes.
var manyItems = flag.Int("items", defaultItems, "how many items the tests of large runs have")
