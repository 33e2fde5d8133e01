package configs

import (
	"cmp"
	"fmt"

	"skillcenter.io/hosting"
)

// FillResources returns what is in force when an instance asks for own, which
// may be nil. Where a default would make a request larger than its limit, the
// default gives way.
func FillResources(own *hosting.ResourceConfig, defaults hosting.ResourceConfig) hosting.ResourceConfig {
	if own == nil {
		return defaults
	}
	result := *own
	result.CPURequest, result.CPULimit = fillPair(own.CPURequest, own.CPULimit, defaults.CPURequest, defaults.CPULimit)
	result.MemoryRequest, result.MemoryLimit = fillPair(own.MemoryRequest, own.MemoryLimit, defaults.MemoryRequest, defaults.MemoryLimit)
	result.StorageLimit = cmp.Or(own.StorageLimit, defaults.StorageLimit)
	return result
}

func fillPair[T int64 | float64](request, limit, defaultRequest, defaultLimit T) (T, T) {
	if limit == 0 && defaultLimit != 0 {
		limit = max(defaultLimit, request)
	}
	if request == 0 {
		request = defaultRequest
		if limit != 0 {
			request = min(request, limit)
		}
	}
	return request, limit
}

// UpdateResources applies a change to resources that are in force. What is
// zero in it stays; the change and the result must each be valid.
func UpdateResources(current, update hosting.ResourceConfig) (hosting.ResourceConfig, error) {
	if err := update.Validate(); err != nil {
		return current, err
	}
	result := hosting.ResourceConfig{
		CPURequest:    cmp.Or(update.CPURequest, current.CPURequest),
		CPULimit:      cmp.Or(update.CPULimit, current.CPULimit),
		MemoryRequest: cmp.Or(update.MemoryRequest, current.MemoryRequest),
		MemoryLimit:   cmp.Or(update.MemoryLimit, current.MemoryLimit),
		StorageLimit:  cmp.Or(update.StorageLimit, current.StorageLimit),
	}
	if err := result.Validate(); err != nil {
		return current, fmt.Errorf("together with what the instance has: %w", err)
	}
	return result, nil
}
