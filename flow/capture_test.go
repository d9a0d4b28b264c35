package flow

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mq/packet"
)

// segment is a TCP segment of a capture on loopback that lost nothing: all that these tests need.
type segment struct {
	at            time.Time
	syn, fin, rst bool
	payload       []byte
	sport, dport  uint16
}

// readCapture reads the segments of a little-endian pcapng file of Ethernet or cooked frames with IPv4.
func readCapture(t *testing.T, name string) (list []segment) {
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	link, unit := uint16(1), time.Microsecond
	for len(b) >= 12 {
		n := int(le.Uint32(b[4:]))
		if n < 12 || n > len(b) {
			t.Fatalf("%s: a block of %d bytes", name, n)
		}
		body := b[8 : n-4]
		switch le.Uint32(b) {
		case 1:
			link = le.Uint16(body)
			for o := body[8:]; len(o) >= 4 && le.Uint16(o) != 0; o = o[4+(int(le.Uint16(o[2:]))+3)&^3:] {
				if le.Uint16(o) == 9 && o[4] == 9 {
					unit = time.Nanosecond
				}
			}
		case 6:
			ts := time.Duration(uint64(le.Uint32(body[4:]))<<32|uint64(le.Uint32(body[8:]))) * unit
			if s, ok := parseFrame(body[20:20+le.Uint32(body[12:])], link); ok {
				s.at = time.Unix(0, int64(ts))
				list = append(list, s)
			}
		}
		b = b[n:]
	}
	return list
}

func parseFrame(f []byte, link uint16) (s segment, ok bool) {
	skip := map[uint16]int{1: 14, 113: 16, 276: 20}[link]
	if len(f) < skip+40 || f[skip]>>4 != 4 || f[skip+9] != 6 {
		return s, false
	}
	be := binary.BigEndian
	ip := f[skip:]
	ip = ip[:be.Uint16(ip[2:])]
	tcp := ip[int(ip[0]&15)*4:]
	s.sport, s.dport = be.Uint16(tcp), be.Uint16(tcp[2:])
	s.fin, s.syn, s.rst = tcp[13]&1 != 0, tcp[13]&2 != 0, tcp[13]&4 != 0
	s.payload = tcp[int(tcp[12]>>4)*4:]
	return s, true
}

// play hands a capture to a Tracker.
func play(t *testing.T, s *script, list []segment) {
	isMQTT := func(p uint16) bool { return p == 1883 || p == 1884 || p == 1885 }
	framers := map[ConnID]*[2]packet.Framer{}
	fins := map[ConnID]int{}
	for _, g := range list {
		id, d := ConnID(g.sport), packet.ClientToServer
		if isMQTT(g.sport) {
			id, d = ConnID(g.dport), packet.ServerToClient
		} else if !isMQTT(g.dport) {
			continue
		}
		if g.syn && d == packet.ClientToServer {
			framers[id] = new([2]packet.Framer)
			s.t.Open(id, started, g.at)
		}
		f := framers[id]
		if f == nil {
			continue
		}
		w := &f[int(d)-1]
		w.Feed(g.payload)
		for {
			raw, err := w.Next()
			if err != nil {
				break
			}
			s.t.Packet(id, d, g.at, w.Offset()-int64(len(raw)), raw)
		}
		if g.rst || g.fin {
			if fins[id]++; g.rst || fins[id] == 2 {
				by := map[bool]Closer{true: ClosedByReset, false: ClosedByServer}[g.rst]
				s.t.Close(id, g.at, by)
				delete(framers, id)
				fins[id] = 0
			}
		}
		s.now = g.at
	}
	s.t.Finish(s.now)
}

// TestCaptures plays real traffic, in which only r12 has a fault. Set MQ_CAPTURES to the folder.
func TestCaptures(t *testing.T) {
	dir := os.Getenv("MQ_CAPTURES")
	if dir == "" {
		dir = "../testdata/captures"
	}
	want := map[string][]string{"r12_topic_alias_c2s": {"E23"}, "r22_bridge": {"bridge"}}
	n := 0
	for _, name := range []string{
		"r01_v311_qos0", "r02_v311_qos1", "r03_v311_qos2", "r04_v5_qos012", "r05_v31", "r08_auth_fail",
		"r10_v5_properties_real", "r12_topic_alias_c2s", "r16_request_response", "r22_bridge", "r24_any_linux_sll2",
		"t01_bytewise", "t02_many_in_one_segment", "t04_boundaries",
	} {
		file := filepath.Join(dir, name+".pcapng")
		if _, err := os.Stat(file); err != nil {
			continue
		}
		n++
		t.Run(name, func(t *testing.T) {
			ref, err := os.ReadFile(filepath.Join(dir, name+".ref.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			s := newScript(t, Options{})
			play(t, s, readCapture(t, file))
			if got, want := int(s.t.number), strings.Count(string(ref), "\n"); got != want {
				t.Errorf("%d packets, the reference has %d", got, want)
			}
			var got []string
			for _, f := range s.findings {
				got = append(got, f.Key)
			}
			if !slices.Equal(got, want[name]) {
				t.Errorf("found %v, want %v\n%s", got, want[name], strings.Join(s.events[:min(len(s.events), 400)], "\n"))
			}
		})
	}
	if n == 0 {
		t.Error("no captures found")
	}
}
