package broker

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// wsPath is the path of WebSocket listeners; "/" is taken too.
const wsPath = "/mqtt"

// serveWebSocket answers WebSocket handshakes of any origin on "/mqtt" and "/".
func (l *listener) serveWebSocket(establish listeners.EstablishFn) {
	up := &websocket.Upgrader{
		Subprotocols: []string{"mqtt", "mqttv3.1"}, // [MQTT-6.0.0-4]; the second one is that of MQTT 3.1
		CheckOrigin:  func(*http.Request) bool { return true },
	}
	handle := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" && r.URL.Path != wsPath {
			http.Error(w, "no MQTT here: the path is "+wsPath, http.StatusNotFound)
			return
		}
		if ws, err := up.Upgrade(w, r, nil); err == nil {
			l.serveConn(&wsConn{Conn: ws.NetConn(), ws: ws}, establish)
		}
	}
	srv := &http.Server{
		Handler: http.HandlerFunc(handle), ReadHeaderTimeout: l.s.opts.ConnectTimeout, ErrorLog: log.New(io.Discard, "", 0),
	}
	l.mu.Lock()
	l.http = srv
	l.mu.Unlock()
	_ = srv.Serve(l.ln)
}

// wsConn makes a byte stream of the binary messages of a WebSocket connection; MQTT packets may be cut and joined in
// any way [MQTT-6.0.0-2].
type wsConn struct {
	net.Conn // for addresses and deadlines
	ws       *websocket.Conn
	r        io.Reader // the message being read, or nil
}

var errNotBinary = errors.New("a WebSocket message that is not binary")

// Read returns the next bytes of the current or the next message.
func (c *wsConn) Read(p []byte) (int, error) {
	for {
		if c.r == nil {
			kind, r, err := c.ws.NextReader()
			if err != nil {
				return 0, closedAsEOF(err)
			}
			if kind != websocket.BinaryMessage { // [MQTT-6.0.0-1]
				c.sayClose(websocket.CloseUnsupportedData)
				return 0, errNotBinary
			}
			c.r = r
		}
		n, err := c.r.Read(p)
		if errors.Is(err, io.EOF) {
			c.r, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// closedAsEOF treats the close frame of a client as the end of the stream.
func closedAsEOF(err error) error {
	if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived) {
		return io.EOF
	}
	return err
}

// Write sends p as one binary message.
func (c *wsConn) Write(p []byte) (int, error) {
	if err := c.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close sends a close frame, if that is possible at once, and closes the connection.
func (c *wsConn) Close() error {
	c.sayClose(websocket.CloseNormalClosure)
	return c.Conn.Close()
}

// NetConn returns the connection below the WebSocket.
func (c *wsConn) NetConn() net.Conn { return c.Conn }

func (c *wsConn) sayClose(code int) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(100*time.Millisecond))
}
