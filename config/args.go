package config

// Args is the `args` of a task: a value in which texts may be templates. Keys
// of maps are never templates.
type Args struct {
	constant bool
	value    Value     // constant
	tmpl     *Template // a text
	list     []*Args   // a list
	names    []string  // a map, with list as its values
}

// Value expands the arguments. Texts that are exactly one {{…}} keep the type
// of what they stand for.
func (a *Args) Value(s *Scope) (Value, error) {
	if a.constant {
		return a.value, nil
	}
	if a.tmpl != nil {
		return a.tmpl.Value(s)
	}
	values := make([]Value, len(a.list))
	for i, e := range a.list {
		v, err := e.Value(s)
		if err != nil {
			return Value{}, err
		}
		values[i] = v
	}
	if a.names == nil {
		return ListValue(values), nil
	}
	fields := make([]Field, len(values))
	for i, v := range values {
		fields[i] = Field{Name: a.names[i], Value: v}
	}
	return MapValue(fields), nil
}

// Raw gives the arguments as written, templates unexpanded.
func (a *Args) Raw() Value {
	if a.constant {
		return a.value
	}
	if a.tmpl != nil {
		return String(a.tmpl.raw)
	}
	values := make([]Value, len(a.list))
	for i, e := range a.list {
		values[i] = e.Raw()
	}
	if a.names == nil {
		return ListValue(values)
	}
	fields := make([]Field, len(values))
	for i, v := range values {
		fields[i] = Field{Name: a.names[i], Value: v}
	}
	return MapValue(fields)
}

func (a *Args) eachTemplate(f func(*Template)) {
	if a.tmpl != nil {
		f(a.tmpl)
	}
	for _, e := range a.list {
		e.eachTemplate(f)
	}
}

// fold turns a list or a map of constants into one constant.
func (a *Args) fold() *Args {
	if a == nil || !a.constant {
		return a
	}
	v, _ := (&Args{list: a.list, names: a.names}).Value(nil)
	return &Args{constant: true, value: v}
}
