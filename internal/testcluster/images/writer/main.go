// Command writer writes a file into its container's own layer and waits to be
// told to end.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	size := flag.Int("bytes", 0, "the size of the file")
	flag.Parse()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	if err := os.WriteFile("/tmp/written", make([]byte, *size), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		os.Exit(1)
	}
	<-stop
}
