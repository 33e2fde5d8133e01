//go:build linux && e2e

package kubernetes_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// nodeLogs holds the log files of the pods of one namespace open, as the
// container runtime writes them on the node of the test cluster. What it finds
// in them is what was printed, whatever the kubelet rotated away or removed
// since: it does not go through the log API.
type nodeLogs struct {
	pattern string

	reading sync.Mutex // one reader of the files at a time
	mu      sync.Mutex // held for moments only: a file that is not opened in time is lost
	files   map[fileID]*nodeLog
}

type fileID struct{ device, inode uint64 }

type nodeLog struct {
	file    *os.File
	source  string
	ordinal int
	// done is how much of the file has been read into the lines.
	done  int64
	lines []printedLine
	// piece is the end of a line that begins in the file before, and head the
	// beginning of one that ends in the file behind.
	piece, head string
}

type printedLine struct {
	run    string
	number int
	at     time.Time
}

// watchNodeLogs opens each log file soon after it has come, until the test
// ends. The kubelet rotates a file after three seconds at the soonest, and
// keeps that of a container that has ended for longer.
func (w *world) watchNodeLogs(t testing.TB) *nodeLogs {
	t.Helper()
	logs := &nodeLogs{
		pattern: filepath.Join(w.cluster.PodLogs, w.namespace+"_*", "*", "*.log*"),
		files:   map[fileID]*nodeLog{},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for {
			if err := logs.open(); err != nil {
				t.Errorf("open the log files of the node: %v", err)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		for _, log := range logs.files {
			log.file.Close()
		}
	})
	return logs
}

// open opens the files that are new.
func (l *nodeLogs) open() error {
	paths, err := filepath.Glob(l.pattern)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, path := range paths {
		if strings.HasSuffix(path, ".gz") || strings.HasSuffix(path, ".tmp") {
			continue // a copy of a file that was open before
		}
		info, err := os.Stat(path)
		if err != nil {
			continue // gone between the two calls
		}
		id := idOf(info)
		if l.files[id] != nil {
			continue
		}
		file, err := os.Open(path)
		if os.IsNotExist(err) {
			continue // likewise; under a new name it comes next time
		}
		if err != nil {
			return err
		}
		if info, err = file.Stat(); err != nil {
			return err
		}
		if id = idOf(info); l.files[id] != nil {
			file.Close() // rotated in between
			continue
		}
		source, ordinal, err := whose(path)
		if err != nil {
			return err
		}
		l.files[id] = &nodeLog{file: file, source: source, ordinal: ordinal}
	}
	return nil
}

func idOf(info os.FileInfo) fileID {
	stat := info.Sys().(*syscall.Stat_t)
	return fileID{uint64(stat.Dev), stat.Ino} //nolint:unconvert // not on every platform
}

// whose reads the container and its run from the path of a log file.
func whose(path string) (source string, ordinal int, err error) {
	container, name := filepath.Split(path)
	pod, container := filepath.Split(filepath.Clean(container))
	parts := strings.Split(filepath.Base(pod), "_")
	number, _, _ := strings.Cut(name, ".")
	ordinal, err = strconv.Atoi(number)
	if err != nil || len(parts) != 3 {
		return "", 0, fmt.Errorf("the log file %s is not named as expected", path)
	}
	return parts[1] + "/" + container, ordinal, nil
}

// count is how many files there have been.
func (l *nodeLogs) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.files)
}

// printed reads all that has been printed so far. It fails the test if the
// numbers of a run do not go from 1 upwards without a hole: then the truth
// itself lacks something.
func (l *nodeLogs) printed(t testing.TB) printed {
	t.Helper()
	require.NoError(t, l.open())
	l.reading.Lock()
	defer l.reading.Unlock()
	l.mu.Lock()
	files := slices.Collect(maps.Values(l.files))
	l.mu.Unlock()
	all := printed{runs: map[string]*printedRun{}, pieces: map[string]bool{}}
	for _, log := range files {
		require.NoError(t, log.read())
	}
	for _, log := range files {
		if log.piece != "" {
			all.pieces[log.piece] = true
			for _, before := range files {
				// A kubelet that passes over a file joins what does not belong
				// together.
				if before.source == log.source && before.head != "" {
					all.pieces[before.head+log.piece] = true
				}
			}
		}
		for _, line := range log.lines {
			run := all.runs[line.run]
			if run == nil {
				run = &printedRun{source: log.source, ordinal: log.ordinal}
				all.runs[line.run] = run
			}
			for len(run.at) < line.number {
				run.at = append(run.at, time.Time{})
			}
			run.at[line.number-1] = line.at
		}
	}
	for name, run := range all.runs {
		for i, at := range run.at {
			require.False(t, at.IsZero(), "the node's log files lack line %d of run %s of %s", i+1, name, run.source)
		}
	}
	return all
}

// read goes on to the end of the file. A line that is not whole yet is left
// for the next time.
func (l *nodeLog) read() error {
	reader := bufio.NewReaderSize(io.NewSectionReader(l.file, l.done, 1<<62), 1<<20)
	for {
		text, err := reader.ReadString('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		l.done += int64(len(text))
		if err := l.add(strings.TrimSuffix(text, "\n")); err != nil {
			return fmt.Errorf("%s: %w: %.100q", l.file.Name(), err, text)
		}
	}
}

// add adds a line of the file: 2026-01-02T03:04:05.678901234Z stdout F message
func (l *nodeLog) add(text string) error {
	fields := strings.SplitN(text, " ", 4)
	if len(fields) != 4 {
		return errors.New("not a line of a container's log")
	}
	at, err := time.Parse(time.RFC3339Nano, fields[0])
	if err != nil {
		return err
	}
	run, number, ok := numberedLine(fields[3])
	count := len(l.lines)
	switch partial := fields[2] == "P"; {
	case partial && count > 0:
		// Torn apart by a rotation, perhaps in its number; the rest is in the
		// next file.
		run, number = l.lines[count-1].run, l.lines[count-1].number+1
		l.head = fields[3]
	case !ok && count == 0 && l.piece == "" && !partial:
		l.piece = fields[3]
		return nil
	case !ok:
		return errors.New("not a numbered line")
	}
	if count > 0 && l.lines[count-1].run == run {
		run = l.lines[count-1].run // so that the text itself can go
	} else {
		run = strings.Clone(run)
	}
	l.lines = append(l.lines, printedLine{run, number, at})
	return nil
}
