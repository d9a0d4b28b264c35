package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"mq/packet"
)

// fakeServer speaks as much MQTT 3.1.1 as its kind lets it:
//
//	silent              accepts, reads, and never answers
//	http ssh tlsalert garbage   answers in that language
//	close               closes the connection when CONNECT comes
//	refuseN             CONNACK with return code N
//	normal              accepts everything
//	deny-all            refuses every subscription
//	deny-two            refuses the filter "two"
//	drop-after-connack  closes each connection after CONNACK
//	dropN               closes the first connection at its Nth PUBLISH, which it does not acknowledge; normal then
//	nopuback            acknowledges no PUBLISH
//	noread              stops reading after CONNACK
//	dup2                after SUBSCRIBE sends a QoS 2 message twice, the second time with DUP, before PUBREL, then "end"
//	badconnack          sends a CONNACK of three bytes
//	text                sends "hello" at QoS 0 after each SUBSCRIBE, then closes the connection
type fakeServer struct {
	kind   string
	mu     sync.Mutex
	log    *os.File
	conn   int // connections so far
	closed chan struct{}
}

func cmdFakeServer(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "fakeserver NAME KIND")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	log, err := os.Create(ts.MkAbs(args[0] + ".log"))
	ts.Check(err)
	s := &fakeServer{kind: args[1], log: log, closed: make(chan struct{})}
	w := worldOf(ts)
	w.cleanup(func() { ln.Close(); close(s.closed) })
	_, port, err := net.SplitHostPort(ln.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0]+"_PORT", port)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			w.cleanup(func() { c.Close() })
			s.mu.Lock()
			s.conn++
			n := s.conn
			s.mu.Unlock()
			go (&fakeConn{s: s, c: c, number: n}).run()
		}
	}()
}

// fakeConn is one connection of a fakeServer.
type fakeConn struct {
	s         *fakeServer
	c         net.Conn
	number    int
	publishes int
	pubrecs   int
}

func (f *fakeConn) run() {
	defer f.c.Close()
	switch f.s.kind {
	case "garbage":
		f.send("\xffthis\x00is\x1b[31mnot MQTT")
	case "ssh":
		f.send("SSH-2.0-OpenSSH_9.2p1\r\n")
	}
	var framer packet.Framer
	for {
		if _, err := framer.Fill(f.c); err != nil {
			f.note("closed")
			return
		}
		for {
			raw, err := framer.Next()
			if errors.Is(err, packet.ErrTruncated) {
				break
			}
			if err != nil || !f.packet(raw) {
				return
			}
		}
	}
}

func (f *fakeConn) send(s string) { _, _ = f.c.Write([]byte(s)) }

func (f *fakeConn) note(format string, a ...any) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	fmt.Fprintf(f.s.log, "%d %s\n", f.number, fmt.Sprintf(format, a...))
}

// packet handles one packet of the client and reports whether the connection goes on.
func (f *fakeConn) packet(raw []byte) bool {
	p, _, err := packet.Decode(raw, packet.V311)
	if err != nil {
		f.note("malformed: %v", err)
		return false
	}
	switch p := p.(type) {
	case *packet.Connect:
		return f.connect(p)
	case *packet.Publish:
		return f.publish(p)
	case *packet.Pubrel:
		f.note("PUBREL id=%d", p.PacketID)
		f.ack(0x70, p.PacketID)
	case *packet.Subscribe:
		return f.subscribe(p)
	case *packet.Unsubscribe:
		f.note("UNSUBSCRIBE %q", p.Filters)
		f.ack(0xb0, p.PacketID)
	case *packet.Pubrec:
		f.note("PUBREC id=%d", p.PacketID)
		f.pubrecs++
		if f.pubrecs == 1 {
			f.send("\x3c\x06\x00\x01d\x00\x01x") // the same message again, with DUP
		} else {
			f.ack(0x62, p.PacketID)
		}
	case *packet.Pubcomp:
		f.note("PUBCOMP id=%d", p.PacketID)
		f.send("\x30\x06\x00\x01dend")
	case *packet.Pingreq:
		f.note("PINGREQ")
		f.send("\xd0\x00")
	default:
		f.note("%s", p.Type())
	}
	return true
}

func (f *fakeConn) connect(p *packet.Connect) bool {
	line := fmt.Sprintf("CONNECT v=%s id=%q clean=%v keepalive=%d user=%q password=%q", p.Version, p.ClientID, p.CleanStart, p.KeepAlive, p.UserName, p.Password)
	if p.Will != nil {
		line += fmt.Sprintf(" will=%q %q q%s retain=%v", p.Will.Topic, p.Will.Payload, p.Will.QoS, p.Will.Retain)
	}
	f.note("%s", line)
	switch kind := f.s.kind; {
	case kind == "silent" || kind == "garbage" || kind == "ssh":
		return true
	case kind == "http":
		f.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		return false
	case kind == "tlsalert":
		f.send("\x15\x03\x01\x00\x02\x02\x46")
		return false
	case kind == "close":
		return false
	case kind == "badconnack":
		f.send("\x20\x03\x00\x00\x00")
		return true
	case strings.HasPrefix(kind, "refuse"):
		code, _ := strconv.Atoi(kind[len("refuse"):])
		f.send("\x20\x02\x00" + string(rune(code)))
		return false
	}
	f.send("\x20\x02\x00\x00")
	switch f.s.kind {
	case "drop-after-connack":
		return false
	case "noread":
		<-f.s.closed
	}
	return true
}

func (f *fakeConn) publish(p *packet.Publish) bool {
	f.publishes++
	f.note("PUBLISH %s q%s id=%d dup=%v retain=%v %q", p.Topic, p.QoS, p.PacketID, p.Dup, p.Retain, p.Payload)
	if n, ok := strings.CutPrefix(f.s.kind, "drop"); ok && f.number == 1 && n == strconv.Itoa(f.publishes) {
		return false
	}
	if f.s.kind == "nopuback" {
		return true
	}
	switch p.QoS {
	case 1:
		f.ack(0x40, p.PacketID)
	case 2:
		f.ack(0x50, p.PacketID)
	}
	return true
}

func (f *fakeConn) subscribe(p *packet.Subscribe) bool {
	var codes []byte
	for _, s := range p.Subscriptions {
		f.note("SUBSCRIBE %q q%s", s.Filter, s.QoS)
		if f.s.kind == "deny-all" || f.s.kind == "deny-two" && s.Filter == "two" {
			codes = append(codes, 0x80)
		} else {
			codes = append(codes, byte(s.QoS))
		}
	}
	b := []byte{0x90, byte(2 + len(p.Subscriptions)), byte(p.PacketID >> 8), byte(p.PacketID)}
	f.send(string(append(b, codes...)))
	switch f.s.kind {
	case "dup2":
		f.send("\x34\x06\x00\x01d\x00\x01x")
	case "text":
		f.send("\x30\x08\x00\x01dhello")
		return false
	}
	return true
}

func (f *fakeConn) ack(first byte, id uint16) {
	f.send(string([]byte{first, 2, byte(id >> 8), byte(id)}))
}
