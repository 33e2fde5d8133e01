package client

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"skillcenter.io/hosting"
)

// checked returns what is wrong with a value that JSON does not carry as it is,
// in the words of its Validate if that notices. All else that may be wrong is
// the server's to judge.
func checked(value interface{ Validate() error }) error {
	changed := unsendable(value)
	if changed == nil {
		return nil
	}
	if err := value.Validate(); err != nil {
		return err
	}
	return changed
}

// unsendable returns the fields of a value that JSON does not carry as they are:
// text that is not UTF-8, of which it would change a part without a word, numbers
// that are none, and negative times that it would cut down to 0.
func unsendable(value any) error {
	var wrong hosting.FieldErrors
	look(reflect.ValueOf(value), "", &wrong)
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

func look(v reflect.Value, path string, wrong *hosting.FieldErrors) {
	if !v.IsValid() { // behind a pointer that is nil
		return
	}
	if v.Type() == reflect.TypeFor[hosting.Duration]() && v.Int() < 0 && v.Int() > -int64(time.Millisecond) {
		*wrong = append(*wrong, hosting.FieldError{Field: path, Value: hosting.Duration(v.Int()), Allowed: "0 or more"})
	}
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) { // it may be a secret
			*wrong = append(*wrong, hosting.FieldError{Field: path, Value: "(hidden)", Allowed: "UTF-8 text"})
		}
	case reflect.Float64:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			*wrong = append(*wrong, hosting.FieldError{Field: path, Value: v.Float(), Allowed: "a finite number"})
		}
	case reflect.Pointer:
		look(v.Elem(), path, wrong)
	case reflect.Slice:
		for i := range v.Len() {
			look(v.Index(i), fmt.Sprintf("%s[%d]", path, i), wrong)
		}
	case reflect.Map:
		for key, item := range v.Seq2() {
			if !utf8.ValidString(key.String()) {
				*wrong = append(*wrong, hosting.FieldError{Field: path, Value: key.String(), Allowed: "names of UTF-8 text"})
			}
			look(item, fmt.Sprintf("%s[%s]", path, strings.ToValidUTF8(key.String(), "\uFFFD")), wrong)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			look(v.Field(i), strings.TrimPrefix(path+"."+name, "."), wrong)
		}
	}
}
