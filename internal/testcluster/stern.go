//go:build linux

package testcluster

import (
	"context"
	"fmt"
	"path/filepath"
)

// BuildStern builds stern, which others follow logs with, into the user's
// cache unless it is there. It returns its path and version.
func BuildStern(ctx context.Context) (path, version string, err error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return "", "", err
	}
	dir := filepath.Join(source, "stern")
	version, err = requiredVersion(filepath.Join(dir, "go.mod"), "github.com/stern/stern")
	if err != nil {
		return "", "", err
	}
	path, err = program{name: "stern", dir: dir, version: version, flags: []string{"-ldflags", "-s -w"}}.build(ctx)
	if err != nil {
		return "", "", fmt.Errorf("build stern: %w", err)
	}
	return path, version, nil
}
