package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

func TestNamesInABodyAreExactAndGivenOnce(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"InstanceName":"web"}`:                                       `"InstanceName": allowed: "instanceName", in this case`,
		`{"instanceName":"web","instanceName":"other"}`:                `"instanceName": it is given twice: allowed: once`,
		`{"instancename":"web","instanceName":"web"}`:                  `"instancename": allowed: "instanceName", in this case`,
		`{"container":{"Image":"nginx"}}`:                              `container: "Image": allowed: "image", in this case`,
		`{"container":{"image":"a","image":"b"}}`:                      `container: "image": it is given twice: allowed: once`,
		`{"container":{"volumeMounts":[{},{"VolumeId":""}]}}`:          `container.volumeMounts[1]: "VolumeId": allowed: "volumeId", in this case`,
		`{"env":{"A":"1","A":"2"}}`:                                    `env: "A": it is given twice: allowed: once`,
		`{"secretEnv":{"KEY":"hush","KEY":"hush"}}`:                    `secretEnv: "KEY": it is given twice: allowed: once`,
		`{"resources":{"cpuLimit":1},"resources":{"cpuLimit":1}}`:      `"resources": it is given twice: allowed: once`,
		`{"container":{"image":"a"},"container":{}}`:                   `"container": it is given twice: allowed: once`,
		`{"instanceName":"\u0061","\u0069nstanceName":"b"}`:            `"instanceName": it is given twice: allowed: once`,
		`{"container":{"healthCheck":{"http":{"PORT":1,"path":"/"}}}}`: `container.healthCheck.http: "PORT": allowed: "port", in this case`,
	} {
		var config hosting.CloudHostingConfig
		assert.EqualError(t, decodeJSON([]byte(body), &config), want, body)
	}
}

func TestABodyWithTheNamesOfItsFieldsIsTaken(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{}`, `null`, `{"container":null,"env":null}`, ` {"env":{"A":"1","a":"2","instanceName":"3"}} `,
		`{"container":{"image":"a","ports":[1,2],"preStop":{"delay":1000},"terminationGracePeriod":30000}}`,
		`{"instanceName":"web","resources":{"cpuLimit":1.5e0},"scaling":{"minReplicas":1}}`,
	} {
		var strict, lax hosting.CloudHostingConfig
		require.NoError(t, decodeJSON([]byte(body), &strict), body)
		require.NoError(t, json.Unmarshal([]byte(body), &lax))
		assert.Equal(t, lax, strict, body)
	}
}

// What names are given to a type that decodes itself is its own business, but
// each once.
func TestNamesBelowATypeOfItsOwnAreGivenOnce(t *testing.T) {
	t.Parallel()
	var object struct {
		Manifest json.RawMessage `json:"manifest"`
	}
	assert.NoError(t, decodeJSON([]byte(`{"manifest":{"Any":{"a":[{"b":1}]}}}`), &object))
	assert.EqualError(t, decodeJSON([]byte(`{"manifest":{"a":[{"b":1,"b":2}]}}`), &object), `manifest.a[0]: "b": it is given twice: allowed: once`)
}
