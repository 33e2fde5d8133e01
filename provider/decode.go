package provider

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/driver"
)

// section is a part of a document. It implements [driver.Section].
type section struct {
	doc  *document
	node *node
	path string
	// line is where its key stands.
	line int
	// reserved are keys of the section that are not for who decodes it.
	reserved []string
}

var _ driver.Section = section{}

// Decode implements [driver.Section]. The error is of type [Problems]. What is
// not wrong is decoded nevertheless.
func (s section) Decode(into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() || target.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("%s: Decode(%T): a pointer to a struct is needed", s.path, into)
	}
	d := decoder{doc: s.doc}
	d.structure(s.node, s.path, target.Elem(), s.reserved)
	if len(d.problems) > 0 {
		return d.problems
	}
	return nil
}

// Errorf implements [driver.Section]. The error is of type [Problem].
func (s section) Errorf(key, format string, args ...any) error {
	p := Problem{File: s.doc.file, Line: s.line, Key: s.path}
	about := s.node
	if key != "" {
		p.Key += "." + key
		if s.node.child(firstStep(key)) != nil {
			about, p.Line = s.node.find(key)
		}
	}
	p.Err = hide(fmt.Errorf(format, args...), about, s.doc.lookup)
	return p
}

func firstStep(key string) string {
	if i := strings.IndexAny(key, ".["); i >= 0 {
		return key[:i]
	}
	return key
}

// decoder puts nodes into Go values, and collects what is wrong with them.
type decoder struct {
	doc      *document
	problems Problems
}

func (d *decoder) problem(line int, path, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.doc.file, line, path, fmt.Errorf(format, args...)})
}

// value decodes n. An empty value is as if its key were not there.
func (d *decoder) value(n *node, path string, into reflect.Value) {
	if n.null {
		return
	}
	if into.Kind() == reflect.Pointer {
		fresh := reflect.New(into.Type().Elem())
		d.value(n, path, fresh.Elem())
		into.Set(fresh)
		return
	}
	want := aScalar
	if !isText(into.Type()) {
		switch into.Kind() {
		case reflect.Struct, reflect.Map:
			want = aMapping
		case reflect.Slice:
			want = aList
		}
	}
	if n.kind != want {
		d.problem(n.line, path, "is %s: allowed: %s", n.kind, allowed(into.Type()))
		return
	}
	switch {
	case want == aScalar:
		d.scalar(n, path, into)
	case want == aList:
		list := reflect.MakeSlice(into.Type(), len(n.items), len(n.items))
		for i, item := range n.items {
			d.value(item, fmt.Sprintf("%s[%d]", path, i), list.Index(i))
		}
		into.Set(list)
	case into.Kind() == reflect.Map:
		d.table(n, path, into)
	default:
		d.structure(n, path, into, nil)
	}
}

// structure decodes a mapping whose keys are the fields of a struct.
func (d *decoder) structure(n *node, path string, into reflect.Value, reserved []string) {
	fields := fieldsOf(into.Type())
	for _, e := range n.entries {
		if slices.Contains(reserved, e.key) {
			continue
		}
		index, known := fields.index[e.key]
		if !known {
			d.problem(e.line, join(path, e.key), "unknown key%s: allowed: %s",
				didYouMean(e.key, fields.names), strings.Join(slices.Concat(reserved, fields.names), ", "))
			continue
		}
		d.value(e.value, join(path, e.key), into.Field(index))
	}
}

// table decodes a mapping whose keys are the user's.
func (d *decoder) table(n *node, path string, into reflect.Value) {
	into.Set(reflect.MakeMap(into.Type()))
	for _, e := range n.entries {
		value := reflect.New(into.Type().Elem()).Elem()
		d.value(e.value, join(path, e.key), value)
		into.SetMapIndex(reflect.ValueOf(e.key).Convert(into.Type().Key()), value)
	}
}

// scalar decodes a single value, quoted or not.
func (d *decoder) scalar(n *node, path string, into reflect.Value) {
	text, expanded, err := expand(n.text, d.doc.lookup)
	if err != nil {
		d.problem(n.line, path, "%w", err)
		return
	}
	if text == "" {
		return
	}
	if err = set(into, text); err == nil {
		return
	}
	var field hosting.FieldError
	if !errors.As(err, &field) {
		field = hosting.FieldError{Value: text, Allowed: hide(err, n, d.doc.lookup).Error()}
	}
	// What comes from outside of the file may be a secret that was put into
	// the wrong variable.
	if expanded {
		field.Value = n.text
	}
	d.problem(n.line, path, "%.80q: allowed: %s", field.Value, field.Allowed)
}

// set reads text into a single value.
func set(into reflect.Value, text string) error {
	if reader, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return reader.UnmarshalText([]byte(text))
	}
	ok := false
	switch into.Kind() {
	case reflect.String:
		into.SetString(text)
		ok = true
	case reflect.Bool:
		if ok = text == "true" || text == "false"; ok {
			into.SetBool(text == "true")
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		number, err := strconv.ParseInt(text, 10, into.Type().Bits())
		// What begins with 0 or + is a whole number of other kinds elsewhere.
		if ok = err == nil && strconv.FormatInt(number, 10) == text; ok {
			into.SetInt(number)
		}
	case reflect.Float32, reflect.Float64:
		number, err := strconv.ParseFloat(text, into.Type().Bits())
		if ok = err == nil && strings.Trim(text, "-0123456789.") == ""; ok {
			into.SetFloat(number)
		}
	}
	if !ok {
		return hosting.FieldError{Value: text, Allowed: allowed(into.Type())}
	}
	return nil
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textUnmarshaler) }

// allowed says what a value of a type may be.
func allowed(t reflect.Type) string {
	if isText(t) {
		// No text is what it takes, so that it says what is.
		err := reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText(nil)
		var field hosting.FieldError
		if errors.As(err, &field) {
			return field.Allowed
		}
		return string(aScalar)
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Map:
		return "a mapping of names to values"
	case reflect.Struct:
		return "a mapping with the keys " + strings.Join(fieldsOf(t).names, ", ")
	}
	return fmt.Sprintf("nothing: a %s cannot be configured", t)
}

// fields are the keys of a struct, in its order.
type fields struct {
	names []string
	index map[string]int
}

func fieldsOf(t reflect.Type) fields {
	f := fields{index: map[string]int{}}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			f.names = append(f.names, name)
			f.index[name] = i
		}
	}
	return f
}
