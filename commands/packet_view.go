package commands

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"mq/format"
	"mq/packet"
)

// packetView prints a line for every packet that passes a tap.
type packetView struct {
	w       io.Writer
	palette format.Palette
	now     func() time.Time
	start   time.Time
	seen    func(packet.Direction, packet.Packet) // may be nil

	mu      sync.Mutex
	version packet.Version
	framers map[packet.Direction]*packet.Framer
	last    time.Time
	line    []byte
}

func newPacketView(w io.Writer, p format.Palette, now func() time.Time, start time.Time) *packetView {
	return &packetView{w: w, palette: p, now: now, start: start, version: packet.V311,
		framers: map[packet.Direction]*packet.Framer{packet.ClientToServer: {}, packet.ServerToClient: {}}}
}

// tap is a connect.Tap.
func (v *packetView) tap(d packet.Direction, b []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := v.framers[d]
	if f == nil {
		return // the stream was not MQTT
	}
	f.Feed(b)
	for {
		raw, err := f.Next()
		if errors.Is(err, packet.ErrTruncated) {
			return
		}
		if err != nil {
			v.framers[d] = nil
			fmt.Fprintf(v.w, "the bytes that follow are not MQTT: %v\n", err)
			return
		}
		v.show(d, raw)
	}
}

func (v *packetView) show(d packet.Direction, raw []byte) {
	p, _, err := packet.Decode(raw, v.version)
	if err != nil {
		fmt.Fprintf(v.w, "malformed packet of %d bytes: %v\n", len(raw), err)
		return
	}
	if c, ok := p.(*packet.Connect); ok {
		v.version = c.Version
		v.framers[packet.ServerToClient] = &packet.Framer{} // a new connection
	}
	now := v.now()
	l := format.PacketLine{Packet: p, Dir: d, Size: len(raw), Since: now.Sub(v.start)}
	if !v.last.IsZero() {
		l.Step = now.Sub(v.last)
	}
	v.last = now
	v.line = format.AppendPacketLine(v.line[:0], l, v.palette)
	_, _ = v.w.Write(v.line) // standard error: nobody to tell
	if v.seen != nil {
		v.seen(d, p)
	}
}
