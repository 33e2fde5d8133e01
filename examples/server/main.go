// Command server serves what a configuration file describes over REST. Without
// a file it serves the in-memory provider, and needs nothing but Go:
//
//	go run ./examples/server
//	curl http://127.0.0.1:8080/api/hosting/instances
//
// With a file, and for others than this machine:
//
//	export HOSTING_TOKEN="$(openssl rand -hex 32)"
//	go run ./examples/server -addr :8080 -config hosting.yaml
//
// Whoever has the token may do everything. Without one the server listens on
// this machine only. It speaks plain HTTP: put what ends TLS in front of it,
// since the token would be read on the way.
//
// Beside the API there are /healthz (it is alive), /readyz (it can be used) and
// /metrics (for Prometheus), which need no token and tell nothing about
// instances. SIGINT and SIGTERM end it: streams first, then requests, then what
// runs in the background. Dockerfile and deploy/ run it in a cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
	"skillcenter.io/hosting/provider/store/boltstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage): // the flags have said it
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// tokenVariable is the variable of the environment with the token.
const tokenVariable = "HOSTING_TOKEN"

// settings are what a server is told when it starts.
type settings struct {
	addr   string
	config string
	grace  time.Duration
	token  string
}

var errUsage = errors.New("the command line is not allowed")

func parse(args []string, getenv func(string) string, out io.Writer) (settings, error) {
	s := settings{token: getenv(tokenVariable)}
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8080", "listen on this `host:port`; without a host on all addresses, which needs "+tokenVariable)
	flags.StringVar(&s.config, "config", "", "open the providers of this YAML `file`; without one, the in-memory provider")
	flags.DurationVar(&s.grace, "grace", 20*time.Second, "how long requests may take to end when the server does")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return s, err
		}
		return s, fmt.Errorf("%w: %w", errUsage, err)
	}
	refuse := func(format string, args ...any) (settings, error) {
		err := fmt.Errorf("%w: %w", errUsage, fmt.Errorf(format, args...))
		fmt.Fprintln(out, err)
		flags.Usage()
		return s, err
	}
	switch {
	case flags.NArg() > 0:
		return refuse("%q: allowed: flags only", flags.Arg(0))
	case s.grace <= 0:
		return refuse("-grace %v: allowed: more than 0", s.grace)
	}
	return s, nil
}

// run serves until ctx ends, and then until everything has ended. It logs to
// out.
func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) (err error) {
	s, err := parse(args, getenv, out)
	if err != nil {
		return err
	}
	logger := newLogger(out)
	host, err := open(ctx, s.config, logger)
	if err != nil {
		return err
	}
	defer func() {
		if e := host.Close(); err == nil {
			err = e
		}
	}()
	server, err := newServer(s, host.Provider(), host.Extension(), logger)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, s)
	if err != nil {
		return err
	}
	logger.Info("the server listens", "address", listener.Addr().String(), "anonymous", s.token == "", "config", s.config)

	// What runs in the background serves requests too, so it ends after them.
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return host.Run(background) })
	group.Go(func() error { return server.serve(listener) })
	group.Go(func() error {
		defer end()
		<-ctx.Done()
		logger.Info("the server ends", "grace", s.grace.String())
		return server.shutdown(s.grace)
	})
	return group.Wait()
}

// openers are the kinds of provider that a file may name.
var openers = map[string]driver.Opener{
	"fake":       fake.Open,
	"kubernetes": kubernetes.Open,
}

// open opens what the file describes.
func open(ctx context.Context, file string, logger *slog.Logger) (*provider.Host, error) {
	options := []provider.Option{provider.WithLogger(logger), provider.WithFileStore(boltstore.Open)}
	if file != "" {
		return provider.OpenFile(ctx, file, openers, options...)
	}
	config, err := provider.ParseConfig("the configuration without a file", []byte("hosting: {fake: {}}"), nil)
	if err != nil {
		return nil, err
	}
	return provider.Open(ctx, config, openers, options...)
}
