package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxEvent is how large one event may be: a line of a log, which may have a MiB,
// takes up to six times as much in JSON.
const maxEvent = 16 << 20

var errTooLarge = errors.New("an event of the stream is larger than 16 MiB")

// event is a server-sent event.
type event struct {
	name string // its type; "message" if the stream does not say
	id   string // its own; "" without one
	data []byte
}

// eventReader reads a stream of server-sent events, as WHATWG has them.
type eventReader struct {
	in     *bufio.Reader
	begun  bool // the beginning was looked at for a byte order mark
	skipLF bool // the line before ended with a CR, to which an LF belongs
	heard  bool // a line has come, if only a comment
	line   []byte
	limit  int
}

func newEventReader(in io.Reader) *eventReader {
	return &eventReader{in: bufio.NewReader(in), limit: maxEvent}
}

// next returns the next event. An event that the stream ends in is not returned:
// the error is io.EOF, or what reading failed with.
func (r *eventReader) next() (event, error) {
	var e event
	var has bool // data, which may be empty
	for size := 0; ; {
		line, err := r.readLine()
		if err != nil {
			return event{}, err
		}
		if size += len(line) + 1; size > r.limit {
			return event{}, errTooLarge
		}
		if len(line) == 0 {
			if !has { // nothing is told by it
				e, size = event{}, 0
				continue
			}
			if e.name == "" {
				e.name = "message"
			}
			return e, nil
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "": // a comment, such as a heartbeat; it is not part of the event
			size -= len(line) + 1
		case "event":
			e.name = string(value)
		case "id":
			if !bytes.Contains(value, []byte{0}) {
				e.id = string(value)
			}
		case "data":
			if has {
				e.data = append(e.data, '\n')
			}
			has = true
			e.data = append(e.data, value...)
		}
	}
}

// keepLine is how large a buffer is kept for the next line.
const keepLine = 64 << 10

// readLine returns a line without its end, which is LF, CR or CRLF. It is good
// until the next call. A CR ends it at once, whether or not an LF follows.
func (r *eventReader) readLine() ([]byte, error) {
	if cap(r.line) > keepLine {
		r.line = nil
	}
	r.line = r.line[:0]
	for {
		if _, err := r.in.Peek(1); err != nil {
			return nil, err
		}
		chunk, _ := r.in.Peek(r.in.Buffered())
		if r.skipLF {
			r.skipLF = false
			if chunk[0] == '\n' {
				_, _ = r.in.Discard(1)
				continue
			}
		}
		end := bytes.IndexAny(chunk, "\r\n")
		if end < 0 {
			if len(r.line)+len(chunk) > r.limit {
				return nil, errTooLarge
			}
			r.line = append(r.line, chunk...)
			_, _ = r.in.Discard(len(chunk))
			continue
		}
		r.skipLF = chunk[end] == '\r'
		r.line = append(r.line, chunk[:end]...)
		_, _ = r.in.Discard(end + 1)
		r.heard = true
		if !r.begun {
			r.begun = true
			return bytes.TrimPrefix(r.line, []byte("\xEF\xBB\xBF")), nil
		}
		return r.line, nil
	}
}
