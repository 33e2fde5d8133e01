package client

import (
	"fmt"
	"slices"
	"strings"

	"skillcenter.io/hosting"
)

// place returns the id that an instance of a configuration has. Where no provider
// has what it asks for, it is one at which the server refuses it.
func (c *Client) place(config hosting.CloudHostingConfig) (hosting.ID, error) {
	id := hosting.ID{Provider: config.Provider, Region: config.Region, Type: config.InstanceType, Name: config.InstanceName}
	fits := slices.DeleteFunc(slices.Clone(c.providers), func(info hosting.ProviderInfo) bool {
		if config.Provider != "" {
			return info.Name != config.Provider
		}
		return config.Region != "" && !slices.Contains(info.Regions, config.Region) || !slices.Contains(info.InstanceTypes, config.InstanceType)
	})
	at := c.providers[0]
	switch {
	case len(fits) == 1, len(fits) > 1 && fits[0].Name == at.Name:
		at = fits[0]
	case len(fits) > 1:
		names := make([]string, len(fits))
		for i, info := range fits {
			names[i] = info.Name
		}
		return id, fmt.Errorf("several providers have region %q and instance type %q: set provider to one of: %s",
			config.Region, config.InstanceType, strings.Join(names, ", "))
	}
	if id.Provider == "" && len(c.providers) > 1 {
		id.Provider = at.Name
	}
	if id.Region == "" && len(at.Regions) > 0 {
		id.Region = at.Regions[0]
	}
	return id, nil
}
