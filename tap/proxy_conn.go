package tap

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"mq/packet"
)

// proxied is one client's way through the proxy.
type proxied struct {
	link  // of the goroutine that shows events
	stage *mqttStage

	p        *Proxy
	stopping func() error // not nil when the proxy is being stopped
	client   net.Conn
	server   net.Conn
	version  atomic.Uint32 // as the CONNECT said, for faults
	mu       sync.Mutex
	by       Closer
	over     bool
	ended    chan struct{}
}

// handle serves one client.
func (p *Proxy) handle(ctx context.Context, raw net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &proxied{p: p, stopping: ctx.Err, ended: make(chan struct{})}
	c.since = p.Now()
	c.conn.FromStart = true
	c.conn.Client, c.conn.ClientName = endOf(raw.RemoteAddr())
	c.conn.ServerName = p.ServerName
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	dialled := make(chan dialResult, 1)
	go func() {
		conn, err := p.Dial(ctx)
		dialled <- dialResult{conn, err}
	}()
	accepted := make(chan dialResult, 1)
	go func() {
		conn, layer, err := c.accept(ctx, raw)
		c.conn.Layer = layer
		accepted <- dialResult{conn, err}
	}()
	up := <-dialled
	if up.err != nil {
		raw.Close()
		<-accepted
		c.fail(NoConnection, fmt.Sprintf("no connection to the server: %v", up.err))
		return
	}
	defer up.conn.Close()
	first := make(chan error, 1)
	server := peekFirst(up.conn, first)
	c.server = server
	if p.ServerName == "" {
		c.conn.Server, c.conn.ServerName = endOf(up.conn.RemoteAddr())
	}
	var down dialResult
	select {
	case down = <-accepted:
	case err := <-first:
		first <- err
		if err != nil {
			raw.Close()
			<-accepted
			c.fail(ClosedByServer, "the server closed the connection before the client sent a byte")
			return
		}
		down = <-accepted
	}
	if down.err != nil {
		raw.Close()
		c.fail(c.whoFailed(ctx, down.err), describeAccept(down.err))
		return
	}
	defer down.conn.Close()
	c.client = down.conn
	c.run(ctx, first)
}

// peekFirst waits in the background for the server's first byte, or for it to close the connection because the client
// says nothing. first gets one value when that has happened.
func peekFirst(conn net.Conn, first chan<- error) bufferedConn {
	r := bufio.NewReaderSize(conn, 4096)
	go func() {
		_, err := r.Peek(1)
		first <- err
	}()
	return bufferedConn{conn, r}
}

type dialResult struct {
	conn net.Conn
	err  error
}

// endOf returns an address, or the name of an end that has no IP address.
func endOf(a net.Addr) (netip.AddrPort, string) {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), ""
	}
	if a == nil || a.String() == "" || a.String() == "@" {
		return netip.AddrPort{}, ""
	}
	return netip.AddrPort{}, a.String()
}

func describeAccept(err error) string {
	if errors.Is(err, io.EOF) {
		return "the client closed the connection before it sent a byte"
	}
	return fmt.Sprintf("the client's connection failed before it spoke MQTT: %v", err)
}

func (c *proxied) whoFailed(ctx context.Context, err error) Closer {
	switch {
	case ctx.Err() != nil:
		return ClosedByProxy
	case isReset(err):
		return ResetByClient
	}
	return ClosedByClient
}

// fail reports a connection that did not come about.
func (c *proxied) fail(by Closer, text string) {
	if c.conn.Layer == "" {
		c.conn.Layer = LayerTCP
	}
	c.send(event{kind: eventOpen})
	c.send(event{kind: eventNote, text: text})
	c.send(event{kind: eventClose, by: by})
}

func (c *proxied) send(e event) {
	e.c, e.at = c, c.p.Now()
	c.p.events <- e
}

// accept takes TLS and WebSocket off the client's connection, as far as the client uses them.
func (c *proxied) accept(ctx context.Context, conn net.Conn) (net.Conn, Layer, error) {
	layer, web := LayerTCP, LayerWS
	if conn.LocalAddr().Network() == "unix" {
		layer = LayerUnix
	}
	if c.p.ServerTLS != nil {
		layer, web = LayerTLS, LayerWSS
		t := tls.Server(conn, c.p.ServerTLS)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, layer, err
		}
		conn = t
	}
	conn, isGet, err := peekGet(conn)
	if err != nil || !isGet {
		return conn, layer, err
	}
	conn, err = upgrade(conn)
	return conn, web, err
}

// run forwards both ways until the connection is over.
func (c *proxied) run(ctx context.Context, first <-chan error) {
	c.send(event{kind: eventOpen})
	stop := context.AfterFunc(ctx, func() { c.end(ClosedByProxy) })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { c.pump(packet.ClientToServer, c.client, c.server) })
	wg.Go(func() {
		<-first // until then the server's connection is not ours to read
		c.pump(packet.ServerToClient, c.server, c.client)
	})
	wg.Wait()
	c.end(ClosedUnknown)
	c.send(event{kind: eventClose, by: c.by})
}

// blame says who ended the connection, the first time it is called.
func (c *proxied) blame(by Closer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == ClosedUnknown {
		c.by = by
	}
}

// end closes both sides.
func (c *proxied) end(by Closer) {
	c.blame(by)
	c.mu.Lock()
	over := c.over
	c.over = true
	c.mu.Unlock()
	if over {
		return
	}
	close(c.ended)
	c.client.Close()
	c.server.Close()
}

// pump forwards one direction.
func (c *proxied) pump(d packet.Direction, from, to net.Conn) {
	var err error
	if len(c.p.Faults) > 0 {
		err = c.forwardFaulty(d, from, to)
	} else {
		err = c.forward(d, from, to)
	}
	closed, reset := ClosedByClient, ResetByClient
	if d == packet.ServerToClient {
		closed, reset = ClosedByServer, ResetByServer
	}
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		c.blame(closed)
		if half, ok := to.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			return // the other direction goes on
		}
		c.end(closed)
	case isReset(err):
		c.blame(reset)
		if b, ok := to.(bufferedConn); ok {
			to = b.Conn
		}
		if t, ok := to.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // pass the reset on
		}
		c.end(reset)
	case c.stopping() != nil:
		c.end(ClosedByProxy)
	default:
		c.end(closed)
	}
}

// writeError is a failure of the side that is written to; the other direction learns more about it.
type writeError struct{ error }

// forward copies bytes.
func (c *proxied) forward(d packet.Direction, from io.Reader, to io.Writer) error {
	buf := make([]byte, chunkSize)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			// Before it is forwarded, or an answer could be shown before the question.
			c.send(event{kind: eventData, dir: d, b: append([]byte(nil), buf[:n]...)})
			if _, err := to.Write(buf[:n]); err != nil {
				return c.unwritable(d, err)
			}
		}
		if err != nil {
			return err
		}
	}
}

// unwritable is what becomes of a direction whose receiver is gone: it is the receiver that ended the connection.
func (c *proxied) unwritable(d packet.Direction, err error) error {
	switch {
	case d == packet.ClientToServer && isReset(err):
		c.blame(ResetByServer)
	case d == packet.ClientToServer:
		c.blame(ClosedByServer)
	case isReset(err):
		c.blame(ResetByClient)
	default:
		c.blame(ClosedByClient)
	}
	return writeError{err}
}

// delivery is bytes on their way through forwardFaulty.
type delivery struct {
	b   []byte
	due time.Time
	cut bool
}

// deliveryQueue is how many packets may wait for a delayed one before the sender is held back.
const deliveryQueue = 256

// forwardFaulty forwards packet by packet. Reading goes on while a packet is delayed, so that packets that arrive
// together are late together and not one after the other.
func (c *proxied) forwardFaulty(d packet.Direction, from io.Reader, to io.Writer) error {
	queue, done := make(chan delivery, deliveryQueue), make(chan error, 1)
	go func() { done <- c.deliver(d, queue, to) }()
	err := c.inject(d, from, queue)
	close(queue)
	if werr := <-done; werr != nil {
		return werr
	}
	return err
}

// deliver writes what comes through queue when it is due. After a failure it takes the rest and drops it.
func (c *proxied) deliver(d packet.Direction, queue <-chan delivery, to io.Writer) (err error) {
	for q := range queue {
		if err != nil {
			continue
		}
		if wait := time.Until(q.due); !q.due.IsZero() && wait > 0 {
			t := time.NewTimer(wait)
			select {
			case <-t.C:
			case <-c.ended:
				t.Stop()
				err = net.ErrClosed
				continue
			}
		}
		if len(q.b) > 0 {
			if _, werr := to.Write(q.b); werr != nil {
				err = c.unwritable(d, werr)
				c.end(ClosedUnknown) // wakes the reader
			}
		}
		if q.cut && err == nil {
			c.end(ClosedByFault)
			err = net.ErrClosed
		}
	}
	return err
}

// inject reads packets, does the faults and passes on what is left.
func (c *proxied) inject(d packet.Direction, from io.Reader, queue chan<- delivery) error {
	limits := c.p.Limits.withDefaults()
	f := packet.Framer{Limit: limits.MaxPacket}
	in := &injector{rules: c.p.Faults, dice: c.p.dice, dir: d, counts: make([]int, len(c.p.Faults)),
		version: func() packet.Version { return packet.Version(c.version.Load()) }}
	raw := false // what comes is no MQTT: forward it as it is
	for {
		_, err := f.Fill(from)
		for !raw {
			offset := f.Offset()
			b, ferr := f.Next()
			if ferr == packet.ErrTruncated {
				break
			}
			if raw = ferr != nil; raw {
				c.send(event{kind: eventNote, text: fmt.Sprintf("no more faults in what the %s sends: %v", d.Sender(), ferr)})
				break
			}
			if v, serr := packet.SniffVersion(b); serr == nil && d == packet.ClientToServer {
				c.version.Store(uint32(v))
			}
			b = append([]byte(nil), b...)
			if !c.pass(d, in.apply(offset, b), b, queue) {
				return net.ErrClosed
			}
		}
		if rest := f.Pending(); len(rest) > 0 && (raw || err != nil) {
			b := append([]byte(nil), rest...)
			c.send(event{kind: eventData, dir: d, b: b})
			queue <- delivery{b: append([]byte(nil), b...)}
			f = packet.Framer{}
		}
		if err != nil {
			return err
		}
	}
}

// pass shows the packet raw and what is done to it, and sends it on its way. It returns false when nothing may follow.
func (c *proxied) pass(d packet.Direction, what deed, raw []byte, queue chan<- delivery) bool {
	c.send(event{kind: eventData, dir: d, b: raw})
	for _, f := range what.faults {
		c.send(event{kind: eventFault, dir: d, fault: f})
	}
	q := delivery{b: what.bytes, cut: what.cut}
	if what.delay > 0 {
		q.due = time.Now().Add(what.delay)
	}
	if len(q.b) > 0 || q.cut {
		queue <- q
	}
	return !what.cut
}
