package kubernetes

import (
	"encoding/json"
	"strings"
)

// mergePatch returns a JSON merge patch.
func mergePatch(change map[string]any) []byte {
	data, err := json.Marshal(change)
	if err != nil {
		panic("a patch of strings and numbers has a JSON form: " + err.Error())
	}
	return data
}

// operation is one step of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// jsonPatch returns a JSON patch. A "test" that fails refuses all of it.
func jsonPatch(operations ...operation) []byte {
	data, err := json.Marshal(operations)
	if err != nil {
		panic("a patch of strings and numbers has a JSON form: " + err.Error())
	}
	return data
}

// annotationPath is the JSON pointer of an annotation.
func annotationPath(name string) string {
	return "/metadata/annotations/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
