//go:build !linux

package testcluster

import (
	"context"
	"errors"
)

// join refuses: the components of a node exist for Linux only.
func join(context.Context, kind) (*Cluster, error) {
	return nil, errors.ErrUnsupported
}
