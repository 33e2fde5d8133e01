package client

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// readAll returns the events of a stream until it ends.
func readAll(in io.Reader) (events []event, err error) {
	r := newEventReader(in)
	for {
		e, err := r.next()
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	one := func(name, id, data string) []event { return []event{{name, id, []byte(data)}} }
	for _, test := range []struct {
		name, stream string
		want         []event
	}{
		{"nothing", "", nil},
		{"one", "event: log\nid: 7\ndata: {}\n\n", one("log", "7", "{}")},
		{"CRLF", "event: log\r\nid: 7\r\ndata: {}\r\n\r\n", one("log", "7", "{}")},
		{"CR", "event: log\rid: 7\rdata: {}\r\r", one("log", "7", "{}")},
		{"all ends of lines", "event: log\rid: 7\ndata: {}\r\n\r", one("log", "7", "{}")},
		{"byte order mark", "\xEF\xBB\xBFdata: x\n\n", one("message", "", "x")},
		{"a later mark is data", "data: \xEF\xBB\xBF\n\n", one("message", "", "\xEF\xBB\xBF")},
		{"no space", "event:log\ndata:x\n\n", one("log", "", "x")},
		{"one space goes", "data:  x \n\n", one("message", "", " x ")},
		{"several lines", "data: a\ndata:\ndata: b\n\n", one("message", "", "a\n\nb")},
		{"empty data", "data\n\n", one("message", "", "")},
		{"comments", ": hello\n\n:\ndata: x\n:\n: between\nid: 3\n\n: bye\n\n", one("message", "3", "x")},
		{"the last event and id win", "event: a\nevent: b\nid: 1\nid: 2\ndata: x\n\n", one("b", "2", "x")},
		{"an id with NUL is none", "id: a\x00b\ndata: x\n\n", one("message", "", "x")},
		{"unknown fields", "retry: 5\nfoo: bar\nDATA: y\n data: z\ndata: x\n\n", one("message", "", "x")},
		{"a colon in the data", "data: a: b\n\n", one("message", "", "a: b")},
		{"no data is no event", "event: log\nid: 1\n\ndata: x\n\n", one("message", "", "x")},
		{"an id is of its event", "id: 1\ndata: x\n\ndata: y\n\n", []event{{"message", "1", []byte("x")}, {"message", "", []byte("y")}}},
		{"an end in the middle", "data: x\n\ndata: y\n", one("message", "", "x")},
		{"an end before the line does", "data: x\n\ndata: y", one("message", "", "x")},
		{"a CR at the end", "data: x\n\r", one("message", "", "x")},
		{"long", "data: " + strings.Repeat("x", 3<<20) + "\n\n", one("message", "", strings.Repeat("x", 3<<20))},
	} {
		for chunking, in := range map[string]io.Reader{
			"whole": strings.NewReader(test.stream), "by byte": iotest.OneByteReader(strings.NewReader(test.stream)),
			"by halves": iotest.HalfReader(strings.NewReader(test.stream)), "end with data": iotest.DataErrReader(strings.NewReader(test.stream)),
		} {
			got, err := readAll(in)
			require.ErrorIs(t, err, io.EOF, test.name)
			assert.True(t, slices.EqualFunc(got, test.want, sameEvent), "%s, %s: got %.200q", test.name, chunking, got)
		}
	}
}

func sameEvent(a, b event) bool {
	return a.name == b.name && a.id == b.id && bytes.Equal(a.data, b.data)
}

func TestAnEventHasALimit(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxEvent)
	for name, stream := range map[string]io.Reader{
		"one line":               strings.NewReader("data: " + long + "\n\n"),
		"a line that never ends": io.MultiReader(strings.NewReader("data: x\n"), endless{}),
		"many lines":             strings.NewReader(strings.Repeat("data: "+long[:1<<20]+"\n", 17) + "\n"),
	} {
		_, err := readAll(stream)
		require.ErrorIs(t, err, errTooLarge, name)
	}
	// Comments are not part of an event, however many come.
	got, err := readAll(strings.NewReader("data: x\n" + strings.Repeat(":"+long[:1<<20]+"\n", 20) + "\n"))
	require.ErrorIs(t, err, io.EOF)
	assert.Len(t, got, 1)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestAnEventArrivesAsSoonAsItEnds(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n", "\r", "\r\n"} {
		in, out := io.Pipe()
		go func() { _, _ = out.Write([]byte("data: x" + end + end)) }()
		e, err := newEventReader(in).next()
		require.NoError(t, err)
		assert.Equal(t, "x", string(e.data))
	}
}

func TestWhatReadingFailsWithIsTold(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	got, err := readAll(io.MultiReader(strings.NewReader("data: x\n\ndata: y\n"), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	assert.Len(t, got, 1)
}

// simple reads events as the standard describes it, from a text that is whole.
func simple(text string) (events []event) {
	text = strings.TrimPrefix(text, "\xEF\xBB\xBF")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(text, "\n")
	var name, id string
	var data []string
	for _, line := range lines[:len(lines)-1] { // the last one has not ended
		if line == "" {
			if data != nil {
				if name == "" {
					name = "message"
				}
				events = append(events, event{name, id, []byte(strings.Join(data, "\n"))})
			}
			name, id, data = "", "", nil
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case field == "event":
			name = value
		case field == "id" && !strings.Contains(value, "\x00"):
			id = value
		case field == "data":
			data = append(data, value)
		}
	}
	return events
}

func FuzzEvents(f *testing.F) {
	for _, seed := range []string{"", "\n", "\r\n\r", "data: x\n\n", "event: a\r\ndata:y\r\n\r\n", ":c\n\ndata\ndata\n\n", "\xEF\xBB\xBFid: 1\ndata: \x00\n\n", "id: a\x00\ndata:\r\r\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stream string) {
		want := simple(stream)
		for _, in := range []io.Reader{strings.NewReader(stream), iotest.OneByteReader(strings.NewReader(stream))} {
			got, err := readAll(in)
			if !errors.Is(err, io.EOF) || !slices.EqualFunc(got, want, sameEvent) {
				t.Errorf("%q: got %q, %v; want %q", stream, got, err, want)
			}
		}
	})
}
