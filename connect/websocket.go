package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"mq/tlsconf"
)

// dialWebSocket opens a WebSocket with the subprotocol "mqtt" [MQTT-6.0.0-3] to the path of o.
func dialWebSocket(ctx context.Context, o *Options) (net.Conn, error) {
	path := o.Path
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	scheme := "ws"
	stop := func() bool { return true }
	defer func() { stop() }()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := dialStream(ctx, o)
		if err == nil { // of ctx, the handshake of gorilla only obeys the deadline
			stop = context.AfterFunc(ctx, func() { conn.Close() })
		}
		return conn, err
	}
	d := websocket.Dialer{Subprotocols: []string{"mqtt"}, NetDialContext: dial, NetDialTLSContext: dial,
		ReadBufferSize: 32 << 10, WriteBufferSize: 32 << 10}
	if o.Network == WSS {
		scheme = "wss"
	}
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, &OptionError{Flag: "ws-path", Value: o.Path, Reason: "not a URL path"}
	}
	u.Scheme, u.Host = scheme, o.target() // not parsed as text: a zone needs quoting there
	ws, resp, err := d.DialContext(ctx, u.String(), o.Header)
	if err != nil {
		return nil, webSocketError(ctx, o, resp, err)
	}
	if ws.Subprotocol() != "mqtt" {
		ws.Close()
		return nil, &ConnectError{Stage: StageWebSocket, Addr: o.Addr(), permanent: true,
			Reason: `the WebSocket server does not speak the subprotocol "mqtt"`, // [MQTT-6.0.0-4]
			hints:  []string{fmt.Sprintf("check the path: --ws-path is %q", path)}}
	}
	return &wsConn{Conn: ws}, nil
}

func webSocketError(ctx context.Context, o *Options, resp *http.Response, err error) error {
	var ce *ConnectError
	var option *OptionError
	switch {
	case errors.As(err, &ce):
		return ce
	case errors.As(err, &option):
		return option
	case expired(ctx, err):
		return contextError(ctx, o, StageWebSocket, "no answer to the WebSocket handshake")
	case resp != nil:
		return &ConnectError{Stage: StageWebSocket, Addr: o.Addr(), Err: err, permanent: resp.StatusCode < 500,
			Reason: fmt.Sprintf("the server answered the WebSocket handshake with %q", resp.Status),
			hints:  []string{fmt.Sprintf("check the path: --ws-path is %q (often /mqtt, / or /ws)", o.Path)}}
	case tlsconf.IsAlert(err): // with TLS 1.3 the server's opinion of our certificate comes with the first read
		return tlsError(ctx, o, err)
	case isNetError(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return &ConnectError{Stage: StageWebSocket, Addr: o.Addr(), Err: err,
			Reason: "the server closed the connection during the WebSocket handshake",
			hints:  []string{"is this a WebSocket port? For plain MQTT leave out --ws"}}
	}
	return &ConnectError{Stage: StageWebSocket, Addr: o.Addr(), Err: err, permanent: true,
		Reason: "the server does not answer in HTTP", hints: []string{"is this a WebSocket port? For plain MQTT leave out --ws"}}
}

// wsConn is the byte stream that the binary frames of a WebSocket carry; packets and frames need not begin together
// [MQTT-6.0.0-2].
type wsConn struct {
	*websocket.Conn
	r       io.Reader
	writeMu sync.Mutex
}

func (c *wsConn) Read(b []byte) (int, error) {
	for {
		if c.r == nil {
			kind, r, err := c.NextReader()
			if err != nil {
				var ce *websocket.CloseError
				if errors.As(err, &ce) && (ce.Code == websocket.CloseNormalClosure || ce.Code == websocket.CloseAbnormalClosure || ce.Code == websocket.CloseGoingAway) {
					return 0, io.EOF
				}
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errors.New("the server sent a WebSocket text frame, MQTT uses binary frames [MQTT-6.0.0-1]")
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

func (c *wsConn) Write(b []byte) (int, error) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if err := c.WriteMessage(websocket.BinaryMessage, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close says goodbye with a close frame, as far as it can be sent without waiting, and closes the connection.
func (c *wsConn) Close() error {
	_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(100*time.Millisecond))
	return c.Conn.Close()
}

func (c *wsConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
