package flow

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mq/packet"
)

// invariants compares what the Tracker counts with what it holds.
func (t *Tracker) invariants() error {
	flights, charged := 0, 0
	seen := map[*session]bool{}
	each := func(s *session) {
		if seen[s] {
			return
		}
		seen[s] = true
		charged += s.charged
		for d := range s.out {
			flights += s.out[d].n
			used := 0
			for i := range s.out[d].slots {
				if f := &s.out[d].slots[i]; f.used {
					used++
					if s.out[d].get(f.id) != f {
						panic("a handshake cannot be found")
					}
				}
			}
			if used != s.out[d].n {
				panic("handshakes are miscounted")
			}
		}
	}
	n := 0
	for c := t.first; c != nil; c = c.next {
		n++
		each(c.sess)
		charged += c.charged
		if t.conns[c.id] != c {
			return fmt.Errorf("connection %d is lost", c.id)
		}
	}
	for _, s := range t.sessions {
		each(s)
	}
	switch {
	case n != len(t.conns):
		return fmt.Errorf("%d connections in the list, %d in the map", n, len(t.conns))
	case n > t.o.MaxConnections:
		return fmt.Errorf("%d connections", n)
	case flights != t.inflight || flights > t.o.MaxInFlight:
		return fmt.Errorf("%d handshakes, %d counted", flights, t.inflight)
	case charged != t.charged || charged > t.o.MaxBytes:
		return fmt.Errorf("%d bytes, %d counted", charged, t.charged)
	case len(t.idle) > t.o.MaxSessions || len(t.sessions) > t.o.MaxSessions+t.o.MaxConnections+1:
		return fmt.Errorf("%d sessions, %d idle", len(t.sessions), len(t.idle))
	case len(t.requests.queue) > maxRequests || len(t.retained.byTopic) > maxRetained || len(t.wills.byHash) > maxWills:
		return fmt.Errorf("a book is too long")
	case len(t.sum.topics.slots) > t.o.MaxTopics || len(t.sum.topics.index) > t.o.MaxTopics:
		return fmt.Errorf("%d topics", len(t.sum.topics.slots))
	}
	return nil
}

// small are limits that are reached soon.
var small = Options{
	MaxConnections: 3, MaxInFlight: 8, MaxSessions: 2, MaxMessages: 16, MaxTopics: 8, MaxConnBytes: 2048, MaxBytes: 4096,
}

// vocabulary are packets that fit each other, and some that are broken.
func vocabulary(tb testing.TB, v packet.Version) (list [][]byte) {
	s := newScript(tb, Options{})
	for n := 1; n <= 3; n++ {
		s.versions[n] = v
	}
	add := func(d packet.Direction, typ string, words ...string) {
		list = append(list, s.build(1, d, typ, words))
	}
	name := map[packet.Version]string{packet.V31: "v3", packet.V311: "v4", packet.V5: "v5"}[v]
	up, down := packet.ClientToServer, packet.ServerToClient
	for _, id := range []string{"a", "b"} {
		add(up, "CONNECT", name, "id="+id)
		add(up, "CONNECT", name, "id="+id, "dirty", "will=w:gone", "keep=5")
	}
	add(down, "CONNACK")
	if v != packet.V31 {
		add(down, "CONNACK", "sp")
	}
	for _, id := range []string{"1", "2", "3"} {
		for _, typ := range []string{"PUBACK", "PUBREC", "PUBREL", "PUBCOMP"} {
			add(up, typ, id)
		}
		add(up, "PUBLISH", "a/b", "q1", "id="+id, "p="+id)
		add(up, "PUBLISH", "a/b", "q2", "id="+id, "dup", "p=x")
		add(up, "SUBSCRIBE", id, "a/+:1", "w:0")
		add(down, "SUBACK", id, "0x01", "0x00")
		add(up, "UNSUBSCRIBE", id, "a/+")
		if v == packet.V5 {
			add(down, "UNSUBACK", id, "0x00")
			add(up, "PUBLISH", "t"+id, "alias="+id, "rt=r", "cd=c"+id)
			add(up, "PUBLISH", "-", "alias="+id)
			add(up, "PUBLISH", "r", "cd=c"+id, "up=a:b")
			add(up, "SUBSCRIBE", id, "$share/g/a:2,rap", "b:1,nl,rh2", "subid=4")
		} else {
			add(down, "UNSUBACK", id)
		}
	}
	add(up, "PUBLISH", "a/b", "retain", "p=x")
	add(up, "PUBLISH", "w", "p=gone")
	add(up, "PINGREQ")
	add(down, "PINGRESP")
	add(up, "DISCONNECT")
	if v == packet.V5 {
		add(up, "AUTH", "method=x")
		add(up, "AUTH", "0x19", "method=x")
		add(down, "DISCONNECT", "0x8E")
		add(down, "PUBACK", "1", "0x87", "reason=no")
	}
	for _, h := range []string{"c100", "30ff", "3006000161", "f000", "00", "8203000100", "20020001", "300400022b23"} {
		add(up, "hex", h)
	}
	return list
}

// FuzzTracker plays three bytes a step: what to do, with which connection, with which packet or bytes.
func FuzzTracker(f *testing.F) {
	seeds := 0
	files, _ := filepath.Glob("testdata/rules/*.txt")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:min(len(b), 600)])
		seeds++
	}
	if seeds == 0 {
		f.Fatal("no seeds")
	}
	words := [][][]byte{vocabulary(f, packet.V31), vocabulary(f, packet.V311), vocabulary(f, packet.V5)}
	f.Fuzz(func(t *testing.T, b []byte) {
		last := int64(0)
		tr := NewTracker(small, func(e Event) {
			if p, ok := e.(*PacketEvent); ok {
				if p.Number <= last {
					t.Fatalf("packet %d after %d", p.Number, last)
				}
				last = p.Number
			}
		})
		now := time.Unix(1_800_000_000, 0)
		set := words[len(b)%3]
		for i := 0; len(b) >= 3; i++ {
			conn, d := ConnID(b[1]%5), packet.Direction(b[1]>>5%3)
			now = now.Add(time.Duration(b[1]&0x18) * time.Duration(b[2]) * time.Millisecond)
			switch op := b[0] % 24; {
			case op < 18:
				raw := append([]byte(nil), set[int(b[2])%len(set)]...)
				if op == 17 {
					raw[int(b[1])%len(raw)] ^= b[0]
				}
				tr.Packet(conn, d, now, int64(i), raw)
				clear(raw) // nothing of it may be kept
			case op == 18:
				tr.Open(conn, Meta{Server: "s", FromStart: b[2]&1 == 0}, now)
			case op == 19:
				tr.Close(conn, now, Closer(b[2]%4))
			case op == 20:
				tr.Gap(conn, d, now, int64(b[2]))
			case op == 21:
				tr.Broken(conn, d, now, 0, b[:3], packet.ErrMalformed)
			case op == 22:
				n := min(len(b), 3+int(b[2])%40)
				tr.Packet(conn, d, now, 0, b[3:n])
			default:
				now = now.Add(time.Duration(binary.BigEndian.Uint16(b[1:])) * time.Second)
			}
			if err := tr.invariants(); err != nil {
				t.Fatal(err)
			}
			b = b[3:]
		}
		tr.Finish(now)
		if tr.inflight != 0 || len(tr.conns) != 0 {
			t.Fatalf("%d handshakes and %d connections are left", tr.inflight, len(tr.conns))
		}
	})
}
