// Command skill is the workload of the tests: it answers over HTTP, writes
// logs, burns CPU and ends, all as its flags and requests say.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// unhealthyFile makes the health check fail while it exists.
const unhealthyFile = "/tmp/unhealthy"

var (
	lines      = flag.Int("lines", 0, "print this many numbered lines first")
	every      = flag.Duration("every", 0, "print a numbered line at this interval, for ever")
	levelLines = flag.Bool("level-lines", false, "print some of the first lines in a style that tells a level")
	printEnv   = flag.String("print-env", "", "print the value of the environment variable of this name")
	noServer   = flag.Bool("no-server", false, "do not serve HTTP")
	exitAfter  = flag.Duration("exit-after", 0, "exit after this time")
	exitCode   = flag.Int("exit-code", 0, "exit with this code after -exit-after")
	ignoreTerm = flag.Bool("ignore-term", false, "go on after SIGTERM")
)

func main() {
	flag.Parse()
	stop := make(chan os.Signal, 1)
	if *ignoreTerm {
		signal.Ignore(syscall.SIGTERM)
	} else {
		signal.Notify(stop, syscall.SIGTERM)
	}
	printLines()

	failed := make(chan error, 1)
	if !*noServer {
		go func() { failed <- serve() }()
	}
	var exit, tick <-chan time.Time // never, unless asked for
	if *exitAfter > 0 {
		exit = time.After(*exitAfter)
	}
	if *every > 0 {
		tick = time.Tick(*every)
	}
	for number := *lines + 1; ; {
		select {
		case <-stop:
			os.Exit(0)
		case <-exit:
			os.Exit(*exitCode)
		case err := <-failed:
			fmt.Fprintln(os.Stderr, "skill:", err)
			os.Exit(1)
		case <-tick:
			fmt.Println("line", number)
			number++
		}
	}
}

// printLines writes what the flags ask for at the start.
func printLines() {
	if *printEnv != "" {
		fmt.Printf("%s=%s\n", *printEnv, os.Getenv(*printEnv))
	}
	for number := 1; number <= *lines; number++ {
		fmt.Println(styled(fmt.Sprintf("line %d", number), number))
	}
}

// styled gives some of the first lines a level, each in another way.
func styled(line string, number int) string {
	if *levelLines {
		switch number {
		case 3:
			return fmt.Sprintf(`{"level":"error","msg":%q}`, line)
		case 5:
			return fmt.Sprintf("level=warn msg=%q", line)
		case 7:
			return "E0102 15:04:05.000000       1 main.go:1] " + line
		case 9:
			return "INFO " + line
		}
	}
	return line
}

func serve() error {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	http.HandleFunc("/{$}", hello)
	http.HandleFunc("/healthz", health)
	http.HandleFunc("PUT /unhealthy", makeUnhealthy)
	http.HandleFunc("DELETE /unhealthy", makeHealthy)
	http.HandleFunc("/env", environment)
	http.HandleFunc("/burn", burn)
	http.HandleFunc("/exit", exit)
	http.HandleFunc("GET /file", readFile)
	http.HandleFunc("PUT /file", writeFile)
	server := &http.Server{Addr: ":" + port, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

func hello(w http.ResponseWriter, _ *http.Request) {
	hostname, err := os.Hostname()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "hello from", hostname)
}

func health(w http.ResponseWriter, _ *http.Request) {
	_, err := os.Stat(unhealthyFile)
	if os.Getenv("UNHEALTHY") == "1" || !errors.Is(err, os.ErrNotExist) {
		http.Error(w, "unhealthy", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func makeUnhealthy(w http.ResponseWriter, _ *http.Request) {
	if err := os.WriteFile(unhealthyFile, nil, 0o600); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func makeHealthy(w http.ResponseWriter, _ *http.Request) {
	if err := os.Remove(unhealthyFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func environment(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, os.Getenv(r.FormValue("name")))
}

// burn keeps one CPU busy for as many milliseconds as it is told.
func burn(w http.ResponseWriter, r *http.Request) {
	duration, ok := number(w, r, "ms")
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(duration)*time.Millisecond)
	defer cancel()
	for ctx.Err() == nil { //nolint:revive // that is the work
	}
	fmt.Fprintln(w, "burned")
}

func exit(w http.ResponseWriter, r *http.Request) {
	if code, ok := number(w, r, "code"); ok {
		os.Exit(code)
	}
}

// readFile answers with the content of a file, such as one on a volume.
func readFile(w http.ResponseWriter, r *http.Request) {
	data, err := os.ReadFile(r.FormValue("path"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := w.Write(data); err != nil {
		fmt.Fprintln(os.Stderr, "skill:", err)
	}
}

// writeFile appends the body to a file.
func writeFile(w http.ResponseWriter, r *http.Request) {
	file, err := os.OpenFile(r.FormValue("path"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = io.Copy(file, http.MaxBytesReader(w, r.Body, 1<<20))
		err = errors.Join(err, file.Sync(), file.Close())
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func number(w http.ResponseWriter, r *http.Request, name string) (int, bool) {
	value, err := strconv.Atoi(r.FormValue(name))
	if err != nil {
		http.Error(w, fmt.Sprintf("%s must be a number", name), http.StatusBadRequest)
		return 0, false
	}
	return value, true
}
