package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/feac4032/multiproc/internal/text"
)

// what gives the items and the matrix' values of an instance for people, in at most
// about limit bytes; "" without any.
func (r *Row) what(limit int) string {
	var b strings.Builder
	switch {
	case r.HasItem:
		b.WriteString(text.Plain(r.Item.Text(), limit))
	case len(r.Items) == 1:
		b.WriteString(text.Plain(r.Items[0].Text(), limit))
	case len(r.Items) > 1:
		fmt.Fprintf(&b, "%s … %s, %s items", text.Plain(r.Items[0].Text(), limit/2),
			text.Plain(r.Items[len(r.Items)-1].Text(), limit/2), text.Number(int64(len(r.Items))))
	}
	for i, f := range r.Matrix {
		if b.Len() > limit {
			b.WriteString(" …")
			break
		}
		if i > 0 || b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%s", text.Plain(f.Name, limit), text.Plain(f.Value.Text(), limit))
	}
	return b.String()
}

// why says in a line how an instance ended that was not ok.
func (r *Row) why(limit int) string {
	s := text.Plain(text.FirstLine(r.Evidence), limit)
	var more []string
	add := func(word string) {
		if !strings.Contains(s, word) {
			more = append(more, word)
		}
	}
	if r.Limit > 0 {
		if r.Observed > 0 {
			add("observed " + Quantity(r.Which, r.Observed))
		}
		add("limit " + Quantity(r.Which, r.Limit))
		if r.EnforcedBy != "" {
			add(text.Plain(r.EnforcedBy, limit))
		}
	}
	switch {
	case r.Signal > 0 && r.SignalName != "":
		add(text.Plain(r.SignalName, limit))
	case r.Signal > 0:
		add("signal " + strconv.Itoa(r.Signal))
	case r.ExitCode > 0 && !strings.Contains(s, "code "+strconv.Itoa(r.ExitCode)):
		add("exit code " + strconv.Itoa(r.ExitCode))
	}
	switch {
	case s == "":
		return strings.Join(more, ", ")
	case len(more) == 0:
		return s
	}
	return s + " (" + strings.Join(more, ", ") + ")"
}

// end gives the outcome, and what refines it.
func (r *Row) end() string {
	if r.Which == "" {
		return r.Outcome
	}
	return r.Outcome + " (" + r.Which + ")"
}

// brief prints a round duration without digits that say nothing.
func brief(d time.Duration) string {
	number, unit, _ := strings.Cut(text.Span(d), " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return strings.TrimSuffix(strings.TrimSuffix(number+" "+unit, " 00 s"), " 00 min")
}

// Quantity prints a limit, or what was observed, in the unit that the limit has.
func Quantity(which string, n int64) string {
	switch which {
	case "memory", "file_size", "output":
		return text.Size(n)
	case "cpu":
		return text.Span(time.Duration(n))
	}
	return strconv.FormatInt(n, 10)
}

// by gives how something was measured, in parentheses; "" where it is not known.
func by(source string) string {
	if source == "" {
		return ""
	}
	return " (" + text.Plain(source, maxSource) + ")"
}

// maxSource bounds the name of a way to measure, in bytes.
const maxSource = 40
