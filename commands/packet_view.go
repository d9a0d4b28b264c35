package commands

import (
	"errors"
	"io"
	"sync"
	"time"

	"mq/connect"
	"mq/flow"
	"mq/format"
	"mq/packet"
)

// packetView shows what passes the taps of a command's own connections, as one conversation.
type packetView struct {
	now  func() time.Time
	seen func(client string, d packet.Direction, t packet.Type) // may be nil

	mu      sync.Mutex
	tracker *flow.Tracker
	conns   flow.ConnID // how many there were
}

// newPacketView writes the flow of packets to w.
func newPacketView(w io.Writer, o format.FlowOptions, now func() time.Time) *packetView {
	return &packetView{now: now, tracker: flow.NewTracker(flow.Options{}, format.NewFlowPrinter(w, o).Event)}
}

// connection returns the tap of one client. Each CONNECT that passes it begins a new connection.
func (v *packetView) connection(client, server string) connect.Tap {
	c := &viewedConn{v: v, client: client, server: server}
	return c.tap
}

// viewedConn cuts the two streams of a connection into packets.
type viewedConn struct {
	v              *packetView
	client, server string
	id             flow.ConnID
	framers        [2]packet.Framer
	broken         [2]bool // what follows is not MQTT
}

func (c *viewedConn) tap(d packet.Direction, b []byte) {
	c.v.mu.Lock()
	defer c.v.mu.Unlock()
	side := 0
	if d == packet.ServerToClient {
		side = 1
	}
	if side == 0 && len(b) > 0 && packet.Type(b[0]>>4) == packet.CONNECT {
		c.begin()
	}
	f := &c.framers[side]
	if c.broken[side] || c.id == 0 {
		return
	}
	f.Feed(b)
	for {
		offset := f.Offset()
		raw, err := f.Next()
		switch {
		case errors.Is(err, packet.ErrTruncated):
			return
		case err != nil:
			c.broken[side] = true
			c.v.tracker.Broken(c.id, d, c.v.now(), offset, f.Pending(), err)
			return
		}
		c.v.tracker.Packet(c.id, d, c.v.now(), offset, raw)
		if c.v.seen != nil {
			c.v.seen(c.client, d, packet.Type(raw[0]>>4))
		}
	}
}

// begin starts a connection, and with it the end of the one before.
func (c *viewedConn) begin() {
	at := c.v.now()
	if c.id != 0 {
		c.v.tracker.Close(c.id, at, flow.ClosedUnknown)
	}
	c.v.conns++
	c.id, c.framers, c.broken = c.v.conns, [2]packet.Framer{}, [2]bool{}
	c.v.tracker.Open(c.id, flow.Meta{Client: c.client, Server: c.server, FromStart: true}, at)
}
