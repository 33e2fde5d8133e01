// Package pipehttp serves HTTP inside the process: over net.Pipe, without a
// socket, so that it works in virtual time too.
package pipehttp

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// Server is a server that only its own transport reaches. Make it with [Serve].
type Server struct {
	server    *http.Server
	listener  *listener
	transport *http.Transport
	served    chan struct{} // closed when Serve has returned
}

// Serve starts a server. Close it.
func Serve(handler http.Handler) *Server {
	l := &listener{accepted: make(chan net.Conn), closed: make(chan struct{}), open: map[net.Conn]bool{}}
	s := &Server{
		server:    &http.Server{Handler: handler},
		listener:  l,
		transport: &http.Transport{DialContext: l.dial, MaxIdleConnsPerHost: 32},
		served:    make(chan struct{}),
	}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(l) // it returns http.ErrServerClosed
	}()
	return s
}

// Transport returns what reaches the server, whatever the host of a URL is.
func (s *Server) Transport() *http.Transport { return s.transport }

// Disconnect breaks all connections. New ones can be made.
func (s *Server) Disconnect() { s.listener.disconnect() }

// Close stops the server and breaks all connections.
func (s *Server) Close() {
	_ = s.server.Close()
	<-s.served
	s.listener.disconnect()
	s.transport.CloseIdleConnections()
}

// listener hands the server's ends of pipes to it.
type listener struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once

	mu   sync.Mutex
	open map[net.Conn]bool
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return addr{} }

// dial makes a connection, or fails as dialing a socket does.
func (l *listener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	refuse := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: addr{}.Network(), Addr: addr{}, Err: err}
	}
	mine, its := net.Pipe()
	l.mu.Lock()
	l.open[its] = true
	l.mu.Unlock()
	select {
	case l.accepted <- &conn{its, l}:
		return mine, nil
	case <-l.closed:
		l.forget(its)
		return refuse(net.ErrClosed)
	case <-ctx.Done():
		l.forget(its)
		return refuse(ctx.Err())
	}
}

func (l *listener) forget(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

func (l *listener) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		_ = c.Close()
	}
	clear(l.open)
}

// conn is the server's end of a connection.
type conn struct {
	net.Conn
	listener *listener
}

func (c *conn) Close() error {
	c.listener.forget(c.Conn)
	return c.Conn.Close()
}

type addr struct{}

func (addr) Network() string { return "pipe" }
func (addr) String() string  { return "in-process" }
