// Package terminal shows on stderr how a run goes: a bar with the rate, the time
// that is left, and the instances that run, or a line now and then where stderr
// is no terminal.
//
// The one idea is that the bars are a frame below the last whole line. What is
// printed meanwhile goes through Display.Writer, which takes the frame away,
// passes the bytes on as they are, and puts the frame back below them. While the
// last line is unfinished there is no frame: neither are the bars mixed with what
// jobs print, nor is a byte added to it.
//
//	meter := new(terminal.Meter)
//	d := terminal.Open(os.Stderr, source, terminal.Options{Rows: workers})
//	defer d.Close()
//	stdout, stderr := d.Writer(os.Stdout), d.Writer(os.Stderr)
//
// Nothing of the terminal's state is changed for longer than one write: the cursor
// stays visible, there is no other screen and no raw mode. A program that is
// killed leaves its last frame, and the cursor on the line below.
package terminal
