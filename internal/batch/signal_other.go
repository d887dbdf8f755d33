//go:build !unix

package batch

// signalName gives no name: processes here end by exit codes.
func signalName(int) string { return "" }
