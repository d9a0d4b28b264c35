package tap

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// peekGet waits for the client's first bytes and tells whether it speaks HTTP. The connection it returns still has them.
func peekGet(conn net.Conn) (net.Conn, bool, error) {
	r := bufio.NewReaderSize(conn, 4096)
	first, err := r.Peek(1)
	if err != nil {
		return nil, false, err
	}
	if first[0] != 'G' { // as MQTT it would be a PUBACK, with flags it may not have
		return bufferedConn{conn, r}, false, nil
	}
	word, err := r.Peek(4)
	return bufferedConn{conn, r}, err == nil && string(word) == "GET ", nil
}

// bufferedConn is a connection of which some bytes have been read ahead.
type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

// Read reads what was read ahead, then from the connection itself.
func (c bufferedConn) Read(b []byte) (int, error) {
	if c.r.Buffered() == 0 {
		return c.Conn.Read(b)
	}
	return c.r.Read(b)
}

// CloseWrite closes the connection for writing.
func (c bufferedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// upgrade does the WebSocket handshake of a server on conn.
func upgrade(conn net.Conn) (net.Conn, error) {
	r := bufio.NewReaderSize(conn, 4096)
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil, err
	}
	u := websocket.Upgrader{Subprotocols: []string{"mqtt", "mqttv3.1"}, CheckOrigin: func(*http.Request) bool { return true }}
	w := &hijackable{conn: conn, rw: bufio.NewReadWriter(r, bufio.NewWriter(conn)), header: http.Header{}}
	ws, err := u.Upgrade(w, req, nil)
	if err != nil {
		return nil, err
	}
	return &wsServerConn{Conn: ws}, nil
}

// hijackable is the ResponseWriter of a connection that is no longer HTTP.
type hijackable struct {
	conn   net.Conn
	rw     *bufio.ReadWriter
	header http.Header
	status int
}

func (h *hijackable) Header() http.Header { return h.header }

func (h *hijackable) WriteHeader(status int) {
	h.status = status
	_ = (&http.Response{StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: h.header, Close: true}).Write(h.conn)
}

func (h *hijackable) Write(b []byte) (int, error) {
	if h.status == 0 {
		h.WriteHeader(http.StatusOK)
	}
	return h.conn.Write(b)
}

func (h *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) { return h.conn, h.rw, nil }

// wsServerConn is the byte stream in the messages of a client's WebSocket.
type wsServerConn struct {
	*websocket.Conn
	r  io.Reader
	mu sync.Mutex // of writes
}

// Read reads from binary messages; text, which MQTT forbids [MQTT-6.0.0-1], is passed on for the server to judge.
func (c *wsServerConn) Read(b []byte) (int, error) {
	for {
		if c.r == nil {
			_, r, err := c.NextReader()
			if err != nil {
				var ce *websocket.CloseError
				if errors.As(err, &ce) {
					return 0, io.EOF
				}
				return 0, err
			}
			c.r = r
		}
		n, err := c.r.Read(b)
		if err == io.EOF {
			c.r, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write sends b as one binary message.
func (c *wsServerConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.WriteMessage(websocket.BinaryMessage, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// CloseWrite sends a close frame; the client answers with its own.
func (c *wsServerConn) CloseWrite() error {
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	return c.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second))
}

// SetDeadline sets both deadlines.
func (c *wsServerConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// isReset reports whether the other side broke the connection off.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
