package config

import (
	"encoding"
	"reflect"
	"strings"
	"time"
)

// field is one key of a settings struct, named by its yaml tag.
type field struct {
	name   string
	index  []int // for reflect.Value.FieldByIndex
	typ    reflect.Type
	secret bool
}

// fields lists the keys of a struct in order, those of inlined structs among them.
func fields(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			for _, inner := range fields(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				out = append(out, inner)
			}
		case name != "" && name != "-":
			out = append(out, field{name, []int{i}, f.Type, f.Tag.Get("secret") == "true"})
		}
	}
	return out
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	readsText    = reflect.TypeFor[encoding.TextUnmarshaler]()
	writesText   = reflect.TypeFor[encoding.TextMarshaler]()
)

// isGroup reports whether a type has keys of its own rather than a value.
func isGroup(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(readsText)
}

// isValue reports whether a type is written as one value, or as a list of such: what an environment variable
// can hold.
func isValue(t reflect.Type) bool {
	switch {
	case reflect.PointerTo(t).Implements(readsText):
		return true
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer:
		return isValue(t.Elem())
	}
	return t.Kind() != reflect.Struct && t.Kind() != reflect.Map && t.Kind() != reflect.Interface
}

// leaves calls visit for the path and type of every value that is in no list: vexa.admin_token, cors.origins.
func leaves(t reflect.Type, path string, visit func(path string, t reflect.Type)) {
	for _, f := range fields(t) {
		switch p := join(path, f.name); {
		case isGroup(f.typ):
			leaves(f.typ, p, visit)
		case isValue(f.typ):
			visit(p, f.typ)
		}
	}
}
