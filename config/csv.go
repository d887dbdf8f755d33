package config

import (
	"errors"
	"fmt"
	"strings"
)

// CSVHeader checks the first record of a csv source, whose fields name those of
// the items. It takes a byte order mark from the first one, and keeps header. A
// name that comes twice, or an empty record, is an error.
func CSVHeader(header []string) ([]string, error) {
	if len(header) == 0 {
		return nil, errors.New("CSV without a header: the first record names the fields")
	}
	header[0] = strings.TrimPrefix(header[0], string(byteOrderMark))
	seen := make(map[string]int, len(header))
	for i, name := range header {
		if first, ok := seen[name]; ok {
			return nil, fmt.Errorf("CSV header has %.40q twice, in fields %d and %d", name, first, i+1)
		}
		seen[name] = i + 1
	}
	return header, nil
}

// CSVItem makes the item of a record: a map of texts by the names in header,
// which has as many fields as the record.
func CSVItem(header, record []string) Value {
	fields := make([]Field, len(header))
	for i, name := range header {
		fields[i] = Field{Name: name, Value: String(record[i])}
	}
	return MapValue(fields)
}
