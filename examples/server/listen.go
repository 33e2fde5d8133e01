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

// onlyThisMachine keeps web pages of others out, which a browser on this machine
// shows: it would send their requests here, and a name of theirs may lead here.
func onlyThisMachine(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) {
			http.Error(w, "without a token the server answers to localhost and loopback addresses only", http.StatusForbidden)
			return
		}
		sameOrigin.ServeHTTP(w, r)
	})
}
