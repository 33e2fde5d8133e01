// Command numbered prints lines that tell which of them are missing: each names
// its run, which no other run shares, and its number in it, from 1. The tests of
// following logs make an image of it.
package main

import (
	"bufio"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

var (
	lines      = flag.Int("lines", 0, "print this many lines first")
	every      = flag.Duration("every", 0, "print a line at this interval")
	burst      = flag.Int("burst", 0, "print this many bytes at once, first and every -burst-every")
	burstEvery = flag.Duration("burst-every", 0, "how often to print a burst; zero is once")
	lineSize   = flag.Int("line-size", 0, "fill lines up to this many bytes")
	maxLines   = flag.Int("max-lines", 0, "after this many lines be silent and stay; zero is no limit")
	exitAfter  = flag.Duration("exit-after", 0, "exit after this time; zero is never")
	exitCode   = flag.Int("exit-code", 0, "exit with this code after -exit-after")
)

func main() {
	flag.Parse()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	var exit, tick, again <-chan time.Time // never, unless asked for
	if *exitAfter > 0 {
		exit = time.After(*exitAfter)
	}
	if *every > 0 {
		tick = time.Tick(*every)
	}
	if *burstEvery > 0 {
		again = time.Tick(*burstEvery)
	}
	p := printer{out: bufio.NewWriterSize(os.Stdout, 32<<10), run: rand.Text()[:12]}
	p.lines(*lines)
	p.bytes(*burst)
	for {
		select {
		case <-stop:
			os.Exit(0)
		case <-exit:
			os.Exit(*exitCode)
		case <-tick:
			p.lines(1)
		case <-again:
			p.bytes(*burst)
		}
	}
}

// printer numbers the lines of this run.
type printer struct {
	out    *bufio.Writer
	run    string
	number int
}

// lines prints as many lines and flushes them.
func (p *printer) lines(count int) {
	for range count {
		p.line()
	}
	p.flush()
}

// bytes prints lines until they have as many bytes, and flushes them.
func (p *printer) bytes(count int) {
	for written := 0; written < count; {
		n := p.line()
		if n == 0 {
			break
		}
		written += n
	}
	p.flush()
}

// line returns how many bytes the line has: none after the last one.
func (p *printer) line() int {
	if *maxLines > 0 && p.number >= *maxLines {
		return 0
	}
	p.number++
	text := fmt.Sprintf("run %s line %d .", p.run, p.number)
	fill := max(0, *lineSize-len(text)-1)
	n, _ := fmt.Fprintln(p.out, text+strings.Repeat(".", fill)) // an error stays until the flush
	return n
}

func (p *printer) flush() {
	if err := p.out.Flush(); err != nil {
		os.Exit(2)
	}
}
