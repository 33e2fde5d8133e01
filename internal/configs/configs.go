// Package configs compares the configurations of instances, and fills in
// what they leave out, in the same way for every provider.
package configs

import (
	"encoding/json"
	"fmt"
	"slices"

	"skillcenter.io/hosting"
)

// Canonical returns a valid configuration in the form in which two that mean
// the same are equal: what is empty is absent, the region is named, the
// provider is not, and secret values are left out. It shares nothing with
// config.
func Canonical(config hosting.CloudHostingConfig, region string) hosting.CloudHostingConfig {
	config.Region = region
	config.Provider = "" // it can only be the one that is asked
	config.SecretEnv = nil
	// A round trip through JSON copies everything, and drops what is empty.
	data, err := json.Marshal(config)
	if err != nil {
		panic(fmt.Sprintf("a validated configuration has no JSON form: %v", err)) // validation refuses NaN
	}
	var result hosting.CloudHostingConfig
	if err := json.Unmarshal(data, &result); err != nil {
		panic(fmt.Sprintf("a configuration's own JSON is not one: %v", err))
	}
	result.Resources = orNil(result.Resources)
	result.Scaling = orNil(result.Scaling)
	if isEmpty(result.Network) {
		result.Network = nil
	}
	return result
}

// orNil returns nil for a part in which everything is zero.
func orNil[T comparable](part *T) *T {
	var zero T
	if part == nil || *part == zero {
		return nil
	}
	return part
}

func isEmpty(n *hosting.NetworkConfig) bool {
	return n != nil && n.ServiceType == "" && len(n.Ports) == 0 &&
		n.IngressEnabled == nil && n.IngressHost == "" && n.IngressPath == ""
}

// Differences returns the JSON names of the top-level fields in which two
// canonical configurations differ, sorted; none if they are the same.
func Differences(a, b hosting.CloudHostingConfig) []string {
	left, right := fields(a), fields(b)
	var names []string
	for name := range left {
		if string(left[name]) != string(right[name]) {
			names = append(names, name)
		}
	}
	for name := range right {
		if _, ok := left[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func fields(config hosting.CloudHostingConfig) map[string]json.RawMessage {
	data, err := json.Marshal(config)
	if err != nil {
		panic(fmt.Sprintf("a canonical configuration has no JSON form: %v", err))
	}
	var result map[string]json.RawMessage
	if err := json.Unmarshal(data, &result); err != nil {
		panic(fmt.Sprintf("a configuration's own JSON is not an object: %v", err))
	}
	return result
}
