//go:build race

package lab

func init() { speedupLimit = 200_000 }
