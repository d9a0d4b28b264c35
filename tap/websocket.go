package tap

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"

	"mq/packet"
)

// wsStage takes MQTT out of a WebSocket (RFC 6455): first the HTTP handshake, then frames.
type wsStage struct {
	l      *link
	slot   *stage // where this stage stands
	layer  Layer  // LayerWS or LayerWSS
	reject func()

	head   [2][]byte // the handshake, and what came after it too soon
	wanted bool      // the client asked for MQTT
	inner  stage     // nil until the handshake is over
	dir    [2]wsDir
}

// wsDir is one direction of an open WebSocket.
type wsDir struct {
	header  []byte // of a frame, not complete
	left    uint64 // bytes of the frame's payload still to come
	masked  bool
	mask    [4]byte
	pos     int  // in mask
	opcode  byte // of the frame
	start   bool // no payload of the frame was seen yet
	control []byte
	text    bool // noted
	lost    bool // no frame boundary known: wait for a segment of whole frames
	dead    bool
}

const maxHandshake = 16 << 10

const (
	wsContinuation = 0
	wsText         = 1
	wsBinary       = 2
	wsClose        = 8
)

func newWSStage(l *link, slot *stage, below Layer, reject func()) *wsStage {
	w := &wsStage{l: l, slot: slot, layer: LayerWS, reject: reject}
	if below == LayerTLS {
		w.layer = LayerWSS
	}
	return w
}

// newLateWS is for a WebSocket whose handshake the capture does not show.
func newLateWS(l *link) *wsStage {
	w := &wsStage{l: l, layer: LayerWS}
	l.open(w.layer)
	l.note("capture begins mid-stream")
	m := newMQTTStage(l)
	m.lose(packet.ClientToServer)
	m.lose(packet.ServerToClient)
	w.inner = m
	w.dir[0].lost, w.dir[1].lost = true, true
	return w
}

func (w *wsStage) data(d packet.Direction, b []byte, edge bool) {
	if w.inner == nil {
		w.handshake(d, b)
		return
	}
	w.frames(d, b, edge)
}

// handshake gathers the request and the response.
func (w *wsStage) handshake(d packet.Direction, b []byte) {
	w.head[d-1] = append(w.head[d-1], b...)
	w.l.hold(len(b))
	if len(w.head[d-1]) > maxHandshake || !w.l.room(0) {
		w.refuse()
		return
	}
	end := []byte("\r\n\r\n")
	if d == packet.ClientToServer && !w.wanted && bytes.Contains(w.head[0], end) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(w.head[0])))
		if err != nil || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			w.refuse()
			return
		}
		w.wanted = isMQTTProtocol(r.Header.Values("Sec-WebSocket-Protocol"))
	}
	request, response := bytes.Index(w.head[0], end), bytes.Index(w.head[1], end)
	if request < 0 || response < 0 {
		return
	}
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(w.head[1])), nil)
	if err != nil {
		w.refuse()
		return
	}
	w.answered(r)
	if w.inner == nil {
		return
	}
	head := w.head
	w.l.hold(-len(head[0]) - len(head[1]))
	w.head = [2][]byte{}
	w.frames(packet.ClientToServer, head[0][request+4:], true)
	w.frames(packet.ServerToClient, head[1][response+4:], true)
}

func isMQTTProtocol(values []string) bool {
	for _, v := range values {
		for p := range strings.SplitSeq(v, ",") {
			if strings.HasPrefix(strings.ToLower(strings.TrimSpace(p)), "mqtt") {
				return true
			}
		}
	}
	return false
}

// answered takes the server's response.
func (w *wsStage) answered(r *http.Response) {
	switch {
	case r.StatusCode != http.StatusSwitchingProtocols && w.wanted:
		w.l.open(w.layer)
		w.l.note(fmt.Sprintf("the server refused the WebSocket: %s", r.Status))
		*w.slot = dropped{}
	case r.StatusCode != http.StatusSwitchingProtocols:
		w.refuse()
	case isMQTTProtocol(r.Header.Values("Sec-WebSocket-Protocol")):
		w.l.open(w.layer)
		w.inner = newMQTTStage(w.l)
	default:
		// Without a subprotocol, which MQTT demands [MQTT-6.0.0-3], the content decides.
		w.inner = newProbe(w.l, &w.inner, w.layer, w.reject)
	}
}

func (w *wsStage) refuse() {
	*w.slot = dropped{}
	w.reject()
}

// frames takes bytes of an open WebSocket.
func (w *wsStage) frames(d packet.Direction, b []byte, edge bool) {
	s := &w.dir[d-1]
	if s.lost && edge && isFrames(b, d == packet.ClientToServer) {
		s.lost = false
	}
	for len(b) > 0 && !s.lost && !s.dead {
		if s.left == 0 {
			n, ok := s.begin(b)
			if b = b[n:]; !ok {
				return
			}
			w.check(d, s)
			if s.left == 0 {
				w.endFrame(d, s)
			}
			continue
		}
		n := int(min(s.left, uint64(len(b))))
		w.payload(d, s, b[:n])
		s.left -= uint64(n)
		b = b[n:]
		if s.left == 0 {
			w.endFrame(d, s)
		}
	}
}

// begin reads a frame's header, which may come in pieces, and reports whether it is complete.
func (s *wsDir) begin(b []byte) (n int, ok bool) {
	for n < len(b) {
		s.header = append(s.header, b[n])
		n++
		size := frameHeaderSize(s.header)
		if size == 0 || len(s.header) < size {
			continue
		}
		h := s.header
		s.opcode, s.masked, s.pos, s.start = h[0]&15, h[1]&0x80 != 0, 0, true
		s.left = uint64(h[1] & 0x7f)
		switch s.left {
		case 126:
			s.left = uint64(binary.BigEndian.Uint16(h[2:]))
		case 127:
			s.left = binary.BigEndian.Uint64(h[2:])
		}
		if s.masked {
			copy(s.mask[:], h[size-4:])
		}
		return n, true
	}
	return n, false
}

// frameHeaderSize returns the length of the frame header that begins with b, 0 when that cannot be told yet.
func frameHeaderSize(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	n := 2
	switch b[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// check judges a frame's header.
func (w *wsStage) check(d packet.Direction, s *wsDir) {
	first := s.header[0]
	s.header = s.header[:0]
	switch {
	case first&0x40 != 0:
		w.die(s, "the WebSocket messages are compressed (permessage-deflate), which is not decoded")
	case first&0x30 != 0 || s.opcode > 10 || s.opcode > wsBinary && s.opcode < wsClose || s.left>>63 != 0:
		w.die(s, fmt.Sprintf("what the %s sends is not a WebSocket frame", d.Sender()))
	case s.opcode >= wsClose && s.left > 125:
		w.die(s, fmt.Sprintf("the %s sends a WebSocket control frame of %d bytes, 125 are allowed", d.Sender(), s.left))
	case s.opcode == wsText && !s.text:
		s.text = true
		w.l.note(fmt.Sprintf("the %s sends WebSocket text frames, MQTT uses binary frames [MQTT-6.0.0-1]", d.Sender()))
	}
}

// die gives the direction up.
func (w *wsStage) die(s *wsDir, why string) {
	s.dead = true
	w.l.note(why)
}

// payload takes bytes of a frame's payload.
func (w *wsStage) payload(d packet.Direction, s *wsDir, b []byte) {
	if s.masked {
		for i := range b {
			b[i] ^= s.mask[(s.pos+i)&3]
		}
		s.pos += len(b)
	}
	if s.opcode >= wsClose {
		s.control = append(s.control, b...)
		return
	}
	w.inner.data(d, b, s.start)
	s.start = false
}

// endFrame ends a frame; of the control frames only a close with bad news is worth a word.
func (w *wsStage) endFrame(d packet.Direction, s *wsDir) {
	if s.opcode == wsClose && len(s.control) >= 2 {
		if code := binary.BigEndian.Uint16(s.control); code != 1000 && code != 1001 {
			w.l.note(strings.TrimSpace(fmt.Sprintf("the %s closes the WebSocket with code %d %s", d.Sender(), code, s.control[2:])))
		}
	}
	s.control = s.control[:0]
}

func (w *wsStage) gap(d packet.Direction, n int64, exact bool) {
	if w.inner == nil {
		w.refuse()
		return
	}
	s := &w.dir[d-1]
	if s.lost || s.dead || !exact || uint64(n) > s.left {
		s.lost, s.left, s.header = true, 0, s.header[:0]
		w.inner.gap(d, n, false)
		return
	}
	s.left -= uint64(n)
	s.pos += int(n & 3)
	if s.opcode < wsClose {
		w.inner.gap(d, n, true)
	}
	s.start = false
	if s.left == 0 {
		w.endFrame(d, s)
	}
}

func (w *wsStage) finish(why error) {
	if w.inner != nil {
		w.inner.finish(why)
	}
}

// isFrames reports whether the segment b seems to consist of WebSocket frames.
func isFrames(b []byte, masked bool) bool {
	for count := 0; ; count++ {
		size := frameHeaderSize(b)
		if size == 0 || len(b) < size {
			return count > 0 && len(b) == 0
		}
		op := b[0] & 15
		if b[0]&0x70 != 0 || op > 10 || op > wsBinary && op < wsClose || (b[1]&0x80 != 0) != masked {
			return false
		}
		n := uint64(b[1] & 0x7f)
		switch {
		case n == 126:
			n = uint64(binary.BigEndian.Uint16(b[2:]))
		case n == 127:
			n = binary.BigEndian.Uint64(b[2:])
		}
		if n > uint64(len(b)-size) {
			return false
		}
		b = b[size+int(n):]
	}
}
