package broker

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// maxBuffered is how many bytes of small packets are written at once.
const maxBuffered = 16 << 10

// conn is the connection handed to mochi. It joins the packets that are waiting in the client's queue into one write,
// and carries the session, which is how hooks find it.
type conn struct {
	net.Conn
	network string
	remote  string
	session *session

	mu     sync.Mutex
	buf    []byte
	broken bool // a write failed
}

func newConn(nc net.Conn, network string) *conn {
	c := &conn{Conn: nc, network: network}
	if network != "unix" {
		c.remote = nc.RemoteAddr().String()
	}
	return c
}

// Write sends p, one whole packet, unless it is a PUBLISH with another one already waiting behind it: then p waits for
// that one, whose write (or flush) is certain to come. It never fails: a connection that breaks is noticed where it is
// read. mochi drops a QoS 2 message whose PUBREC cannot be written, but remembers the PUBREC, so that the message would
// be taken for delivered when the client sends it again.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := p[0]>>4 == packets.Publish && c.session.queued() > 0
	switch {
	case c.broken:
	case len(c.buf) == 0 && !wait:
		_, err := c.Conn.Write(p)
		c.failed(err)
	default:
		c.buf = append(c.buf, p...)
		if !wait || len(c.buf) >= maxBuffered {
			c.flushLocked()
		}
	}
	return len(p), nil
}

// failed makes sure that the reading side learns of an error of the writing side.
func (c *conn) failed(err error) {
	if err != nil && !c.broken {
		c.broken = true
		go func() { _ = c.abort() }()
	}
}

// flush writes what is held back. It must be called before the writer of the queue waits for anything.
func (c *conn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushLocked()
}

func (c *conn) flushLocked() {
	if len(c.buf) == 0 || c.broken {
		return
	}
	_, err := c.Conn.Write(c.buf)
	c.buf = c.buf[:0]
	c.failed(err)
}

// abort closes the connection without a goodbye of any protocol layer.
func (c *conn) abort() error {
	nc := c.Conn
	for {
		u, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nc.Close()
		}
		nc = u.NetConn()
	}
}

// hurry gives what is being written d to get done. A deadline would not do: mochi and gorilla/websocket both reset it.
func (c *conn) hurry(d time.Duration) { time.AfterFunc(d, func() { _ = c.abort() }) }

// noConn is the connection of a session that was restored from the store and has no client yet.
type noConn struct{ net.Conn }

var errNoConn = errors.New("session without connection")

func (noConn) Read([]byte) (int, error)    { return 0, errNoConn }
func (noConn) Write([]byte) (int, error)   { return 0, errNoConn }
func (noConn) Close() error                { return nil }
func (noConn) SetDeadline(time.Time) error { return nil }
