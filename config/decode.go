package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// decode sets v to what the node says, by v's type, and reports every key that does not fit; it never stops
// at the first. A key that a mapping does not have keeps its value, the default.
func (l *loader) decode(n *node, v reflect.Value, key string) {
	l.nodes[key] = n
	if v.Kind() == reflect.Interface { // nothing to set: only l.nodes is wanted
		return
	}
	if n.kind == nullKind {
		l.fail(n.at, key, "has no value", "give it one, or delete the line")
		return
	}
	switch reader := v.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		if l.wantKind(n, scalarKind, key) {
			l.failIf(reader.UnmarshalText([]byte(n.text)), n, key)
		}
		return
	case yaml.InterfaceUnmarshaler: // a type with a syntax of its own
		l.failIf(reader.UnmarshalYAML(func(into any) error {
			l.decode(n, reflect.ValueOf(into).Elem(), key)
			return nil
		}), n, key)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		l.decode(n, v.Elem(), key)
	case reflect.Struct:
		if l.wantKind(n, mappingKind, key) {
			l.decodeStruct(n, v, key)
		}
	case reflect.Slice:
		if l.wantKind(n, sequenceKind, key) {
			v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
			for i, item := range n.items {
				l.decode(item, v.Index(i), fmt.Sprintf("%s[%d]", key, i))
			}
		}
	case reflect.Map:
		if l.wantKind(n, mappingKind, key) {
			l.decodeMap(n, v, key)
		}
	default:
		if l.wantKind(n, scalarKind, key) {
			l.failIf(setScalar(v, n.text), n, key)
		}
	}
}

func (l *loader) decodeStruct(n *node, v reflect.Value, key string) {
	known := fields(v.Type())
	for _, e := range n.entries {
		path := join(key, e.key)
		f, ok := find(known, e.key)
		if !ok {
			l.failUnknown(e, n, known, key)
			continue
		}
		if e.value.kind == mappingKind {
			// the key is a better place to point at than whatever comes first in the mapping
			e.value.at = e.at
		}
		l.decode(e.value, v.FieldByIndex(f.index), path)
		if strings.HasSuffix(f.name, "_file") && f.typ.Kind() == reflect.String {
			l.openNamed(v.FieldByIndex(f.index), e.value, path)
		}
	}
}

// openNamed makes the path in a key that ends in _file absolute, and checks that the file can be read; it is
// watched from now on.
func (l *loader) openNamed(v reflect.Value, n *node, key string) {
	if v.String() == "" || l.isReported(key) {
		return
	}
	path := l.relative(v.String())
	v.SetString(path)
	l.read(path, n.at, key)
}

func (l *loader) decodeMap(n *node, v reflect.Value, key string) {
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.entries)))
	for _, e := range n.entries {
		value := reflect.New(v.Type().Elem()).Elem()
		l.decode(e.value, value, join(key, e.key))
		v.SetMapIndex(reflect.ValueOf(e.key).Convert(v.Type().Key()), value)
	}
}

func find(known []field, name string) (field, bool) {
	for _, f := range known {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// failUnknown reports a key that does not exist, with the one that was probably meant: a similar one beside
// it, or one of the same name elsewhere.
func (l *loader) failUnknown(e entry, n *node, known []field, key string) {
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.name
	}
	remedy := "known here: " + strings.Join(names, ", ")
	if meant := nearest(e.key, names); meant != "" {
		remedy = fmt.Sprintf("did you mean %s?", meant)
		if n.child(meant) == nil {
			l.markReported(join(key, meant)) // not to be reported as missing too
		}
	} else if elsewhere := placeOf(e.key); elsewhere != "" && elsewhere != join(key, e.key) {
		remedy = fmt.Sprintf("did you mean %s?", elsewhere)
		l.markMissingReported(elsewhere)
	}
	l.fail(e.at, join(key, e.key), "unknown key", remedy)
}

// placeOf returns the one path at which a key of this name exists, or "".
func placeOf(name string) string {
	var found []string
	leaves(reflect.TypeFor[Config](), "", func(path string, _ reflect.Type) {
		if path == name || strings.HasSuffix(path, "."+name) {
			found = append(found, path)
		}
	})
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// wantKind reports a value of another kind than its key takes, and returns whether it is of that kind.
func (l *loader) wantKind(n *node, k kind, key string) bool {
	if n.kind == k {
		return true
	}
	message, remedy := "", ""
	switch k {
	case scalarKind:
		message, remedy = "takes one value",
			"write the value alone; between [ ] or { }, quote it if it has a colon"
	case sequenceKind:
		message, remedy = "takes a list", "write [a, b], or each on a line of its own after a dash"
	default:
		message, remedy = "takes keys of its own", "write them below it, indented"
	}
	l.fail(n.at, key, message, remedy)
	return false
}

func (l *loader) failIf(err error, n *node, key string) {
	if err != nil {
		l.fail(n.at, key, err.Error(), "")
	}
}

// setScalar parses text by v's type.
func setScalar(v reflect.Value, text string) error {
	switch {
	case v.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration: write it like 30s, 15m or 720h", text)
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(text == "true")
	case v.CanInt():
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v.SetInt(i)
	case v.CanFloat():
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f != f || f-f != 0 {
			return fmt.Errorf("%q is not a number", text)
		}
		v.SetFloat(f)
	default:
		return fmt.Errorf("cannot be set")
	}
	return nil
}
