package tap

import (
	"bytes"
	"slices"

	"mq/packet"
)

// probe is the stage that finds out what a connection carries. The client is known; it speaks first in MQTT, HTTP and
// TLS.
type probe struct {
	l      *link
	slot   *stage // where the stage it chooses goes
	layer  Layer  // of what it looks at
	reject func() // it is nothing of ours
	buf    [2][]byte
}

const (
	maxProbeClient = 16 // bytes that decide
	maxProbeServer = 1 << 10
)

func newProbe(l *link, slot *stage, layer Layer, reject func()) *probe {
	return &probe{l: l, slot: slot, layer: layer, reject: reject}
}

// kind is what a stream carries.
type kind byte

const (
	kindMore kind = iota // too few bytes to tell
	kindNone
	kindMQTT
	kindHTTP
	kindTLS
)

// classify tells what a client that begins with b speaks. ours is set where MQTT is expected: there a client that speaks
// it badly is still taken for one.
func classify(b []byte, ours bool) kind {
	switch _, err := packet.SniffVersion(b); err {
	case nil, packet.ErrProtocol:
		return kindMQTT
	case packet.ErrTruncated:
		if len(b) < 3 || b[0] == 0x10 || !isTLS(b) {
			return kindMore
		}
	}
	switch {
	case isTLS(b):
		return kindTLS
	case bytes.HasPrefix(b, []byte("GET ")):
		return kindHTTP
	case len(b) < 4 && bytes.HasPrefix([]byte("GET "), b), len(b) < 3 && b[0] == 0x16:
		return kindMore
	case ours && b[0]&0xf0 != 0 && wholeLength(b) >= 0 && !isHTTP(b):
		return kindMQTT
	}
	return kindNone
}

// isHTTP reports whether b begins with a request that is no GET.
func isHTTP(b []byte) bool {
	for _, m := range []string{"POST ", "PUT ", "HEAD ", "OPTIONS ", "DELETE ", "PATCH ", "CONNECT "} {
		if bytes.HasPrefix(b, []byte(m)) {
			return true
		}
	}
	return false
}

// isTLS reports whether b begins with a TLS handshake record. As MQTT it would be a CONNECT with reserved bits set.
func isTLS(b []byte) bool { return len(b) >= 3 && b[0] == 0x16 && b[1] == 3 && b[2] <= 4 }

func isWebPort(p uint16) bool { return slices.Contains(webPorts, p) }

func (p *probe) data(d packet.Direction, b []byte, edge bool) {
	buf := p.buf[d-1]
	if len(buf) > 0 {
		buf = append(buf, b...)
		b = buf
	}
	if d == packet.ServerToClient { // wait for the client
		if len(buf) == 0 {
			buf = append(buf, b...)
		}
		p.buf[1] = buf
		if len(buf) > maxProbeServer && !p.oneSided() {
			p.refuse()
		}
		return
	}
	k := classify(b, p.l.ours && p.layer == LayerTCP)
	if k == kindMore && len(b) < maxProbeClient {
		if len(buf) == 0 {
			buf = append(buf, b...)
		}
		p.buf[0] = buf
		return
	}
	p.choose(k, b, edge)
}

// choose goes on with the stage for k and the client's first bytes.
func (p *probe) choose(k kind, b []byte, edge bool) {
	var next stage
	switch {
	case k == kindMQTT:
		p.l.open(p.layer)
		next = newMQTTStage(p.l)
	case k == kindHTTP && (p.layer == LayerTCP || p.layer == LayerTLS):
		next = newWSStage(p.l, p.slot, p.layer, p.reject)
	case k == kindTLS && p.layer == LayerTCP:
		next = newTLSStage(p.l, p.slot, p.reject)
	default:
		p.refuse()
		return
	}
	*p.slot = next
	next.data(packet.ClientToServer, b, edge)
	if server := p.buf[1]; len(server) > 0 && *p.slot != nil {
		(*p.slot).data(packet.ServerToClient, server, true)
	}
}

func (p *probe) refuse() {
	*p.slot = dropped{}
	p.reject()
}

// gap ends the search: what begins with a hole cannot be recognised, unless it can only be one thing.
func (p *probe) gap(d packet.Direction, n int64, exact bool) {
	if !p.l.ours || p.layer != LayerTCP {
		p.refuse()
		return
	}
	p.l.open(p.layer)
	m := newMQTTStage(p.l)
	*p.slot = m
	for i, b := range p.buf {
		if len(b) > 0 {
			m.data(packet.Direction(i+1), b, true)
		}
	}
	m.gap(d, n, exact)
}

func (p *probe) finish(why error) {
	if len(p.buf[0]) == 0 && p.oneSided() {
		(*p.slot).finish(why)
	}
}

// oneSided goes on with what the server says on an MQTT port when nothing of the client was captured. It returns false
// when there is nothing to go on with.
func (p *probe) oneSided() bool {
	b := p.buf[1]
	switch {
	case !p.l.ours || p.layer != LayerTCP || len(b) == 0:
		return false
	case isTLSRecord(b):
		p.l.open(LayerTLS)
		p.l.note("encrypted, and the client's side, which decryption needs, is missing from the capture")
		*p.slot = dropped{}
		return true
	case b[0] != byte(packet.CONNACK)<<4:
		return false
	}
	p.l.open(p.layer)
	p.l.note("what the client sends is missing from the capture")
	m := newMQTTStage(p.l)
	*p.slot = m
	m.data(packet.ServerToClient, b, true)
	return true
}

// choose decides what a connection is whose beginning the capture does not show. b is the first that is seen of it, sent
// by end i.
func (f *flow) choose(i int, b []byte) {
	k := classify(b, false)
	if k == kindMQTT || k == kindHTTP || k == kindTLS && len(b) > 5 && b[5] == 1 {
		f.setClient(i)
		f.top = newProbe(&f.link, &f.top, LayerTCP, f.ignore)
		return
	}
	server := f.serverPort()
	if server < 0 {
		f.ignore()
		return
	}
	f.setClient(1 - server)
	switch {
	case !f.ours && isFrames(b, i == f.client):
		f.top = newLateWS(&f.link)
	case !f.ours, bytes.HasPrefix(b, []byte("HTTP/")):
		f.ignore()
	case isTLSRecord(b):
		f.open(LayerTLS)
		f.note("capture begins mid-stream: encrypted, and the TLS handshake that decryption needs is missing")
		f.top = dropped{}
	default:
		f.open(LayerTCP)
		f.note("capture begins mid-stream")
		m := newMQTTStage(&f.link)
		m.lose(packet.ClientToServer)
		m.lose(packet.ServerToClient)
		f.top = m
	}
}

// serverPort returns the end whose port is a server's, -1 if neither is.
func (f *flow) serverPort() int {
	p := f.key.port
	for _, known := range []func(uint16) bool{f.a.expects, isWebPort} {
		switch a, b := known(p[0]), known(p[1]); {
		case a && (!b || p[0] < p[1]):
			return 0
		case b:
			return 1
		}
	}
	return -1
}

// isTLSRecord reports whether b begins with a TLS record of any kind.
func isTLSRecord(b []byte) bool {
	return len(b) >= 5 && b[0] >= 20 && b[0] <= 23 && b[1] == 3 && b[2] <= 4 && int(b[3])<<8|int(b[4]) <= 1<<14+2048
}
