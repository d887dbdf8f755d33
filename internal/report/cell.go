package report

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/text"
	"github.com/feac4032/multiproc/task"
)

// group is a kind of columns; in a table the columns of one stand together.
type group uint8

const (
	groupFixed group = iota
	groupItem
	groupMatrix
	groupResult
	groups
)

// cell is one value of a row of results: raw bytes, JSON, or a value of the job file.
type cell struct {
	kind  cellKind
	bytes []byte
	value config.Value
}

type cellKind uint8

const (
	cellValue cellKind = iota
	cellText
	cellJSON
)

// fixed are the columns that every table has.
var fixed = [...]string{"job", "index", "outcome", "which", "exit_code", "wall_s", "attempts"}

// cells calls visit for each value that the row has, the fixed columns first. It
// stops at the first error.
func (r *Row) cells(visit func(g group, name string, c cell) error) error {
	var err error
	add := func(g group, name string, c cell) {
		if err == nil {
			err = visit(g, name, c)
		}
	}
	raw := func(name, s string) { add(groupFixed, name, cell{kind: cellText, bytes: []byte(s)}) }
	number := func(name string, i int64) {
		add(groupFixed, name, cell{kind: cellJSON, bytes: strconv.AppendInt(nil, i, 10)})
	}
	raw("job", r.Job)
	if r.Index >= 0 {
		number("index", r.Index)
	}
	raw("outcome", r.Outcome)
	if r.Which != "" {
		raw("which", r.Which)
	}
	if r.ExitCode >= 0 {
		number("exit_code", int64(r.ExitCode))
	}
	if r.Attempts > 0 {
		add(groupFixed, "wall_s", cell{kind: cellJSON, bytes: strconv.AppendFloat(nil, text.Seconds(r.Wall), 'f', -1, 64)})
		number("attempts", int64(r.Attempts))
	}
	switch {
	case r.Items != nil:
		add(groupItem, "items", cell{value: config.ListValue(r.Items)})
	case r.HasItem && len(r.Item.Fields()) > 0:
		for _, f := range r.Item.Fields() {
			add(groupItem, "item."+f.Name, cell{value: f.Value})
		}
	case r.HasItem:
		add(groupItem, "item", cell{value: r.Item})
	}
	for _, f := range r.Matrix {
		add(groupMatrix, "matrix."+f.Name, cell{value: f.Value})
	}
	r.resultCells(func(name string, c cell) { add(groupResult, name, c) })
	return err
}

// resultCells gives a map's fields one by one, and any other result, also a map
// without fields, as one.
func (r *Row) resultCells(add func(name string, c cell)) {
	if len(r.Result) == 0 || r.Result[0] == msgpackNil && len(r.Result) == 1 {
		return
	}
	if s, ok := textResult(r.Result); ok {
		add("result", cell{kind: cellText, bytes: []byte(s)})
		return
	}
	b, err := task.AppendJSON(nil, r.Result)
	if err != nil {
		add("result_error", cell{kind: cellText, bytes: fmt.Appendf(nil, "result of %d bytes cannot be shown: %v", len(r.Result), err)})
		return
	}
	if fields, ok := fieldsOf(b); ok && len(fields) > 0 && isMap(r.Result[0]) {
		for _, f := range fields {
			add("result."+f.name, cell{kind: cellJSON, bytes: f.json})
		}
		return
	}
	add("result", cell{kind: cellJSON, bytes: b})
}

const msgpackNil = 0xc0

// isMap reports whether a msgpack value with that first byte is a map.
func isMap(c byte) bool { return c >= 0x80 && c <= 0x8f || c == 0xde || c == 0xdf }

// textResult gives a result that is a text, of any bytes.
func textResult(result []byte) (string, bool) {
	if c := result[0]; c < 0xa0 || c > 0xbf && c != 0xd9 && c != 0xda && c != 0xdb {
		return "", false
	}
	var s string
	err := task.Decode(result, &s)
	return s, err == nil
}

// appendJSON adds the value to a row of JSON.
func (c *cell) appendJSON(o *text.Object, name string) {
	switch c.kind {
	case cellText:
		o.Text(name, string(c.bytes))
	case cellJSON:
		o.Name(name)
		o.B = append(o.B, c.bytes...)
	default:
		o.Value(name, c.value)
	}
}

// appendText appends the value for a table: texts and numbers as they are, what
// nests as JSON. It reports false for null, which is not the same as a text
// without characters.
func (c *cell) appendText(b []byte) ([]byte, bool) {
	switch {
	case c.kind == cellText:
		return append(b, c.bytes...), true
	case c.kind == cellValue:
		return append(b, c.value.Text()...), c.value.Type() != config.Null
	case string(c.bytes) == "null":
		return b, false
	case c.bytes[0] == '"':
		var s string
		if json.Unmarshal(c.bytes, &s) == nil {
			return append(b, s...), true
		}
	}
	return append(b, c.bytes...), true
}
