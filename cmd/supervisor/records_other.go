//go:build !linux

package main

// recordsFolder is for Linux only.
func recordsFolder() string { return "" }
