package main

// defaultState is the folder in which runs keep their journals, and what does not
// fit in memory.
const defaultState = ".supervisor"
