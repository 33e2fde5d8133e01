package conformance

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"skillcenter.io/hosting"
)

func jsonCases() []testCase {
	return []testCase{
		each("everything that is returned survives JSON", survivesJSON),
	}
}

// survivesJSON finds numbers that JSON does not have, text that is not UTF-8
// and statuses that the protocol does not have.
func survivesJSON(t *testing.T, e *env) {
	config := e.config(Serve)
	config.Labels = map[string]string{"team": "blue"}
	id, config := e.talkative(t, config)
	for name, result := range e.everything(t, id, config) {
		data, err := json.Marshal(result)
		if err != nil {
			t.Errorf("%s(%s): %v", name, id, err)
			continue
		}
		if result == nil {
			continue
		}
		copied := reflect.New(reflect.TypeOf(result))
		if err := json.Unmarshal(data, copied.Interface()); err != nil {
			t.Errorf("%s(%s): %s: %v", name, id, data, err)
		} else if again := toJSON(copied.Interface()); again != string(data) {
			t.Errorf("%s(%s): %s is %s after a round trip through JSON", name, id, data, again)
		}
		if instance, ok := result.(hosting.CloudInstance); ok && !slices.Contains(hosting.Statuses(), instance.Status) {
			t.Errorf("%s(%s): status %q, want one of %q", name, id, instance.Status, hosting.Statuses())
		}
	}
}
