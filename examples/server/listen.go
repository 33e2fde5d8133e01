package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
)

// listen opens the address. Without a token it has to be one of this machine
// alone: whatever name it was given by, what counts is where it listens then.
func listen(ctx context.Context, s settings) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.addr)
	if err != nil {
		return nil, fmt.Errorf("-addr %s: %w", s.addr, err)
	}
	if s.token == "" && !isLoopback(listener.Addr().String()) {
		listener.Close()
		return nil, fmt.Errorf("-addr %s: without a token everybody who can reach it could do everything: "+
			"allowed: a loopback address such as 127.0.0.1:8080, or any with a token in %s", s.addr, tokenVariable)
	}
	return listener, nil
}

// isLoopback tells whether an address, with or without a port, is this machine's
// alone.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// onlyThisMachine keeps web pages of others out, whose name may lead here: a
// browser on this machine would take the API for theirs. (What it sends for a page
// of another origin the API refuses itself.)
func onlyThisMachine(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) {
			http.Error(w, "without a token the server answers to localhost and loopback addresses only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
