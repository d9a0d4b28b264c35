package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

// ListenError says which listener could not be opened and why.
type ListenError struct {
	Network string
	Address string
	Err     error
	hints   []string
}

// Error returns, for example, "listen tcp 127.0.0.1:1883: address already in use".
func (e *ListenError) Error() string {
	return fmt.Sprintf("listen %s %s: %v", e.Network, e.Address, e.Err)
}

// Unwrap returns the cause.
func (e *ListenError) Unwrap() error { return e.Err }

// Hints returns what to try next.
func (e *ListenError) Hints() []string { return e.hints }

// Sentinels that a ListenError can hold.
var (
	ErrInUse     = errors.New("address already in use")
	ErrNotSocket = errors.New("the file exists and is not a socket")
	ErrNoTLS     = errors.New("no certificate and key given")
	ErrNetwork   = errors.New("unknown network, want tcp, tls, ws, wss or unix")
)

// listener accepts connections of one kind for mochi. Unlike mochi's own it is bound before it is handed over, knows
// all its connections, also those that have not sent a CONNECT, and waits for them when it closes.
type listener struct {
	s       *Server
	id      string
	network string
	ln      net.Listener

	mu      sync.Mutex
	conns   map[*conn]struct{}
	closing bool
	wg      sync.WaitGroup
	http    *http.Server // of "ws" and "wss"
}

func (s *Server) bind(i int, l Listener) (*listener, error) {
	fail := func(err error, hints ...string) (*listener, error) {
		return nil, &ListenError{Network: l.Network, Address: l.Address, Err: err, hints: hints}
	}
	var secure bool
	var ln net.Listener
	var err error
	switch l.Network {
	case "tcp", "ws":
	case "tls", "wss":
		if secure = true; s.opts.TLS == nil {
			return fail(ErrNoTLS, "give the server's --cert and --key")
		}
	case "unix":
		if err := removeStale(l.Address); err != nil {
			return fail(err, "choose another path for the socket")
		}
	default:
		return fail(ErrNetwork)
	}
	if l.Network == "unix" {
		ln, err = net.Listen("unix", l.Address)
	} else {
		ln, err = net.Listen("tcp", l.Address)
	}
	if err != nil {
		hints, cause := explainListen(err)
		return fail(cause, hints...)
	}
	if secure {
		cfg := s.opts.TLS.Clone()
		if l.Network == "wss" {
			cfg.NextProtos = []string{"http/1.1"}
		}
		ln = tls.NewListener(ln, cfg)
	}
	return &listener{s: s, id: fmt.Sprintf("%s-%d", l.Network, i), network: l.Network, ln: ln, conns: map[*conn]struct{}{}}, nil
}

// removeStale removes the socket at path if nobody listens on it.
func removeStale(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode()&os.ModeSocket == 0 {
		return ErrNotSocket
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
		return ErrInUse
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// explainListen reduces the error of net.Listen to its cause.
func explainListen(err error) ([]string, error) {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return []string{"choose another --port, or --port 0 for a free one"}, ErrInUse
	case errors.Is(err, syscall.EACCES):
		return []string{"ports below 1024 need privileges: choose another --port"}, os.ErrPermission
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return []string{"the address must be one of this machine; 0.0.0.0 means all of them"}, syscall.EADDRNOTAVAIL
	case errors.As(err, &dns):
		return []string{"the address must be one of this machine; 0.0.0.0 means all of them"}, errors.New(dns.Err)
	case errors.As(err, &op):
		return nil, op.Err
	}
	return nil, err
}

func (l *listener) url() string {
	switch l.network {
	case "unix":
		return (&url.URL{Scheme: "unix", Path: l.Address()}).String()
	case "ws", "wss":
		return l.network + "://" + l.Address() + wsPath
	case "tls":
		return "mqtts://" + l.Address()
	}
	return "mqtt://" + l.Address()
}

// Init does nothing: the listener is bound already. The methods up to Close are what mochi asks of a listener.
func (l *listener) Init(*slog.Logger) error { return nil }

// ID returns the name mochi knows the listener by.
func (l *listener) ID() string { return l.id }

// Protocol returns the network, as in Options.
func (l *listener) Protocol() string { return l.network }

// Address returns the bound host:port, or the path of the socket.
func (l *listener) Address() string { return l.ln.Addr().String() }

// Serve accepts connections until Close.
func (l *listener) Serve(establish listeners.EstablishFn) {
	if strings.HasPrefix(l.network, "ws") {
		l.serveWebSocket(establish)
		return
	}
	for delay := time.Millisecond; ; {
		nc, err := l.ln.Accept()
		switch {
		case err == nil:
			delay = time.Millisecond
			go l.serveConn(nc, establish)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of file descriptors, mostly
			select {
			case <-time.After(delay):
				delay = min(2*delay, time.Second)
			case <-l.s.closing:
				return
			}
		}
	}
}

// serveConn runs one connection to its end.
func (l *listener) serveConn(nc net.Conn, establish listeners.EstablishFn) {
	c := newConn(nc, l.network)
	if !l.add(c) {
		_ = nc.Close()
		return
	}
	defer l.remove(c)
	c.session = newSession(l.s, c)
	// mochi waits for ever for a CONNECT; it replaces the deadline once there was one.
	_ = nc.SetDeadline(time.Now().Add(l.s.opts.ConnectTimeout))
	err := establish(l.id, c)
	_ = nc.Close()
	c.session.finish(err)
}

func (l *listener) add(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return false
	}
	l.conns[c] = struct{}{}
	l.wg.Add(1)
	return true
}

func (l *listener) remove(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	l.wg.Done()
}

// hurry closes the door and gives all connections d to end.
func (l *listener) hurry(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closing = true
	for c := range l.conns {
		c.hurry(d)
	}
}

// Close stops accepting, has mochi say goodbye to its clients, closes all other connections and waits for them.
func (l *listener) Close(closeClients listeners.CloseFn) {
	_ = l.ln.Close()
	l.hurry(time.Second)
	closeClients(l.id)
	l.mu.Lock()
	for c := range l.conns {
		_ = c.abort()
	}
	srv := l.http
	l.mu.Unlock()
	if srv != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = srv.Shutdown(ctx)
		_ = srv.Close()
	}
	l.wg.Wait()
}
