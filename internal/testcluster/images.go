//go:build linux

package testcluster

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// LoadImage makes an image of the main package in dir, a static program with
// nothing around it, and loads it into a cluster with a node under the given
// reference. Pods use it with the pull policy IfNotPresent.
func (c *Cluster) LoadImage(t testing.TB, reference, dir string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	output, err := static("program", dir).command(t.Context(), program).CombinedOutput()
	if err != nil {
		t.Fatalf("build the program of %s: %v\n%s", reference, err, output)
	}
	if err := loadImage(t.Context(), c.state, reference, program); err != nil {
		t.Fatal(err)
	}
}

// loadImage makes an image that runs the program and gives it to containerd.
func loadImage(ctx context.Context, state, reference, program string) (err error) {
	archive, err := os.CreateTemp("", "testcluster-image-*.tar")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(archive.Name())) }()
	err = errors.Join(writeImage(archive, reference, program), archive.Close())
	if err == nil {
		err = ctr(ctx, state, "images", "import", archive.Name())
	}
	if err != nil {
		return fmt.Errorf("load the image %s: %w", reference, err)
	}
	return nil
}

// writeImage writes an image as `docker save` would: a manifest, the
// configuration and one layer, itself an archive with the program and /tmp.
func writeImage(archive *os.File, reference, program string) error {
	const entrypoint = "program"
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	var layer bytes.Buffer
	if err := writeTar(&layer,
		entry{name: "tmp/", mode: 0o1777},
		entry{name: entrypoint, mode: 0o755, content: content},
	); err != nil {
		return err
	}
	digest := sha256.Sum256(layer.Bytes())
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           runtime.GOOS,
		"config":       map[string]any{"Entrypoint": []string{"/" + entrypoint}},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(digest[:])}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{
		"Config":   "config.json",
		"RepoTags": []string{reference},
		"Layers":   []string{"layer.tar"},
	}})
	if err != nil {
		return err
	}
	return writeTar(archive,
		entry{name: "config.json", mode: 0o644, content: config},
		entry{name: "layer.tar", mode: 0o644, content: layer.Bytes()},
		entry{name: "manifest.json", mode: 0o644, content: manifest})
}

// entry is a file in an archive, or a folder if its name ends in a slash.
type entry struct {
	name    string
	mode    int64
	content []byte
}

func writeTar(w io.Writer, entries ...entry) error {
	archive := tar.NewWriter(w)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.content))}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(e.content); err != nil {
			return err
		}
	}
	return archive.Close()
}
