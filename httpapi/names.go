package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// checkNames refuses what package encoding/json takes without a word: names in
// another case than the field's, and names that are given twice, of which it
// takes the last. What lies between may have read them otherwise. The data is
// JSON that has been decoded into a value of type t. Errors have names and no
// values.
func checkNames(data []byte, t reflect.Type) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return checkValue(decoder, t, "")
}

// checkValue reads one value. A type that is nil is not known: its names can
// only be too many.
func checkValue(decoder *json.Decoder, t reflect.Type, path string) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	t = decodedType(t)
	switch token {
	case json.Delim('{'):
		err = checkObject(decoder, t, path)
	case json.Delim('['):
		var element reflect.Type
		if t != nil && t.Kind() == reflect.Slice {
			element = t.Elem()
		}
		for i := 0; decoder.More() && err == nil; i++ {
			err = checkValue(decoder, element, fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		return nil
	}
	if err == nil {
		_, err = decoder.Token() // what closes it
	}
	return err
}

func checkObject(decoder *json.Decoder, t reflect.Type, path string) error {
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		at := fmt.Sprintf("%.80q", name)
		if path != "" {
			at = path + ": " + at
		}
		if seen[name] {
			return fmt.Errorf("%s: it is given twice: allowed: once", at)
		}
		seen[name] = true
		var value reflect.Type
		switch {
		case t == nil:
		case t.Kind() == reflect.Map:
			value = t.Elem()
		case t.Kind() == reflect.Struct:
			field, written, found := fieldNamed(t, name)
			if !found {
				return fmt.Errorf("%s: allowed: %q, in this case", at, written)
			}
			value = field
		}
		if err := checkValue(decoder, value, below(path, name, t)); err != nil {
			return err
		}
	}
	return nil
}

// below is the path of a field, or of the value of a map.
func below(path, name string, t reflect.Type) string {
	switch {
	case t != nil && t.Kind() == reflect.Map:
		return fmt.Sprintf("%s[%.80s]", path, name)
	case path == "":
		return name
	}
	return path + "." + name
}

// decodedType is the type that package encoding/json decodes into, nil for
// those that decode themselves.
func decodedType(t reflect.Type) reflect.Type {
	for t != nil {
		if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
			return nil
		}
		if t.Kind() != reflect.Pointer {
			return t
		}
		t = t.Elem()
	}
	return nil
}

// fieldNamed returns the type of a field. If only its case is another, it
// returns how the field is written.
func fieldNamed(t reflect.Type, name string) (field reflect.Type, written string, found bool) {
	for i := range t.NumField() {
		is, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if is == name {
			return t.Field(i).Type, is, true
		}
		if strings.EqualFold(is, name) {
			written = is
		}
	}
	return nil, written, false
}
