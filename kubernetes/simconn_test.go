package kubernetes

import (
	"errors"
	"io"
	"sync"
	"time"
)

// simulatedConn is a connection with a log.
type simulatedConn struct {
	n *simulatedNode

	mu      sync.Mutex
	data    []byte
	failure error // when it ends
	closed  bool
	change  chan struct{}
}

const simulatedWindow = 32 << 10

func (c *simulatedConn) changed() {
	close(c.change)
	c.change = make(chan struct{})
}

// write is the kubelet's side. It waits for a slow reader.
func (c *simulatedConn) write(data []byte, done <-chan struct{}) bool {
	for {
		c.mu.Lock()
		if c.closed || c.failure != nil {
			c.mu.Unlock()
			return false
		}
		if len(c.data) < simulatedWindow {
			c.data = append(c.data, data...)
			c.changed()
			c.mu.Unlock()
			return true
		}
		change := c.change
		c.mu.Unlock()
		select {
		case <-change:
		case <-done:
			return false
		}
	}
}

// end ends the connection behind what was written.
func (c *simulatedConn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == nil {
		c.failure = io.EOF
		c.changed()
	}
}

// fail breaks the connection: what is under way is lost in part.
func (c *simulatedConn) fail(failure error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == nil {
		c.failure = failure
		c.data = c.data[:len(c.data)/2]
		c.changed()
	}
}

func (c *simulatedConn) Read(p []byte) (int, error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return 0, errors.New("closed")
		}
		if len(c.data) > 0 {
			count := copy(p, c.data)
			c.data = c.data[count:]
			c.changed()
			c.mu.Unlock()
			return count, nil
		}
		if c.failure != nil {
			c.mu.Unlock()
			return 0, c.failure
		}
		change := c.change
		c.mu.Unlock()
		<-change
	}
}

func (c *simulatedConn) Close() error {
	c.n.mu.Lock()
	delete(c.n.conns, c)
	c.n.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.changed()
	}
	return nil
}

// read is what the kubelet does, in the order in which it does it.
func (c *simulatedConn) read(r *simulatedRun, follow bool, since time.Time, limit int, done <-chan struct{}) {
	defer c.end()
	stop := make(chan struct{})
	go func() { // the client cancels the request
		select {
		case <-done:
			c.Close()
		case <-stop:
		}
	}()
	defer close(stop)
	n := c.n
	n.work()
	n.mu.Lock()
	if r.away {
		n.mu.Unlock()
		c.write([]byte("failed to try resolving symlinks in path \"0.log\": no such file or directory"), done)
		return
	}
	file, at := r.files[len(r.files)-1], 0
	n.tracef("opened file %d", len(r.files)-1)
	n.mu.Unlock()
	var watcher *notifications
	defer func() {
		n.mu.Lock()
		delete(r.watchers, watcher)
		n.mu.Unlock()
	}()
	running := true
	for {
		n.mu.Lock()
		more := file.lines[at:]
		n.mu.Unlock()
		at += len(more)
		for _, line := range more {
			if line.at.Before(since) {
				continue
			}
			text := line.at.UTC().Format("2006-01-02T15:04:05.000000000Z07:00") + " " + line.text + "\n"
			text = text[:min(len(text), limit)]
			limit -= len(text)
			if !c.write([]byte(text), done) || limit == 0 {
				return
			}
		}
		switch {
		case len(more) > 0:
			continue
		case !follow, !running:
			return
		case watcher == nil:
			n.work()
			watcher = &notifications{more: make(chan struct{}, 1)}
			n.mu.Lock()
			r.watchers[watcher] = true
			n.mu.Unlock()
			continue
		}
		n.work()
		n.mu.Lock()
		running = !r.ended
		n.mu.Unlock()
		if !running {
			continue
		}
		if watcher.next(done) {
			n.mu.Lock()
			file, at = r.files[len(r.files)-1], 0
			n.tracef("goes on in file %d", len(r.files)-1)
			n.mu.Unlock()
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
