package tap

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"mq/packet"
)

func TestHeaders(t *testing.T) {
	v4 := ipPacket(tcp{seq: 7, flags: tcpACK, payload: "hello"})
	option := append(append([]byte{0x46}, v4[1:20]...), append([]byte{1, 1, 1, 0}, v4[20:]...)...)
	option[3] += 4
	v6 := func(next byte, extensions ...byte) []byte {
		b := make([]byte, 40)
		b[0], b[6], b[23], b[39] = 0x60, next, 1, 2
		binary.BigEndian.PutUint16(b[4:], uint16(len(extensions)+25))
		return append(append(b, extensions...), v4[20:]...)
	}
	ether := func(tags ...byte) []byte { return append(make([]byte, 12), tags...) }
	fragment := slices.Clone(v4)
	fragment[6] = 0x20
	udp := slices.Clone(v4)
	udp[9] = 17
	join := func(b []byte, more ...[]byte) []byte { return slices.Concat(append([][]byte{b}, more...)...) }
	tests := []struct {
		name string
		link int
		b    []byte
		want outcome
	}{
		{"Ethernet", linkEthernet, join(ether(8, 0), v4), isTCP},
		{"padded", linkEthernet, join(ether(8, 0), v4, make([]byte, 9)), isTCP},
		{"VLAN", linkEthernet, join(ether(0x81, 0, 0, 5, 8, 0), v4), isTCP},
		{"QinQ", linkEthernet, join(ether(0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x86, 0xdd), v6(6)), isTCP},
		{"ARP", linkEthernet, ether(8, 6, 1, 2, 3), isOther},
		{"cooked", linkSLL, join(make([]byte, 14), []byte{8, 0}, v4), isTCP},
		{"cooked 2", linkSLL2, join([]byte{8, 0}, make([]byte, 18), v4), isTCP},
		{"raw", linkRaw, v4, isTCP}, {"raw 12", linkRawBSD, v4, isTCP}, {"raw 14", linkRawOpen, v4, isTCP},
		{"raw 228", linkIPv4, v4, isTCP}, {"raw 229", linkIPv6, v6(6), isTCP},
		{"null", linkNull, join([]byte{2, 0, 0, 0}, v4), isTCP}, {"loop", linkLoop, join([]byte{0, 0, 0, 30}, v6(6)), isTCP},
		{"IPv4 options", linkRaw, option, isTCP},
		{"IPv6 extension headers", linkRaw, v6(0, 43, 0, 0, 0, 0, 0, 0, 0, 60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0), isTCP},
		{"IPv6 atomic fragment", linkRaw, v6(44, 6, 0, 0, 0, 0, 0, 0, 0), isTCP},
		{"IPv6 fragment", linkRaw, v6(44, 6, 0, 0, 1, 0, 0, 0, 0), isFragment},
		{"IPv4 fragment", linkRaw, fragment, isFragment},
		{"UDP", linkRaw, udp, isOther},
		{"headers cut", linkEthernet, join(ether(8, 0), v4[:30]), isCutShort},
		{"nothing", linkEthernet, nil, isCutShort},
	}
	for _, tt := range tests {
		var s segment
		got := parseFrame(tt.link, tt.b, &s)
		if got != tt.want || got == isTCP && (string(s.payload) != "hello" || s.cut != 0 || s.seq != 7 || s.key.port[s.from] != 50000) {
			t.Errorf("%s: %v, %+v", tt.name, got, s)
		}
		for n := range tt.b { // never past the end
			parseFrame(tt.link, tt.b[:n:n], &s)
		}
	}
}

// ngBlock returns a pcapng block.
func ngBlock(o binary.AppendByteOrder, kind uint32, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	b := o.AppendUint32(nil, kind)
	b = o.AppendUint32(b, uint32(len(body)+12))
	return o.AppendUint32(append(b, body...), uint32(len(body)+12))
}

func TestPcapng(t *testing.T) {
	k := newTalk(t, 0, 99)
	var ips [][]byte
	for _, s := range k.open() {
		ips = append(ips, ipPacket(s))
	}
	for name, o := range map[string]binary.AppendByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		t.Run(name, func(t *testing.T) {
			section := ngBlock(o, blockSection, append(o.AppendUint32(nil, 0x1a2b3c4d), 0, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255))
			iface := func(link byte, options ...byte) []byte {
				b := o.AppendUint16(nil, uint16(link))
				return ngBlock(o, blockInterface, append(append(b, 0, 0, 0, 0, 0, 0), options...))
			}
			option := func(code uint16, v ...byte) []byte {
				b := o.AppendUint16(nil, code)
				b = o.AppendUint16(b, uint16(len(v)))
				for len(v)%4 != 0 {
					v = append(v, 0)
				}
				return append(b, v...)
			}
			enhanced := func(iface uint32, ts uint64, data []byte) []byte {
				b := o.AppendUint32(nil, iface)
				b = o.AppendUint32(b, uint32(ts>>32))
				b = o.AppendUint32(b, uint32(ts))
				b = o.AppendUint32(b, uint32(len(data)))
				b = o.AppendUint32(b, uint32(len(data)))
				return ngBlock(o, blockEnhanced, append(b, data...))
			}
			null := append([]byte{2, 0, 0, 0}, ips[2]...)
			file := slices.Concat(section, iface(linkRaw), iface(linkNull, option(9, 9)...), iface(linkRaw, append(option(9, 0x80|10), option(14, o.AppendUint64(nil, 1000)...)...)...),
				ngBlock(o, 4, []byte("names are ignored")), ngBlock(o, 0xbad, make([]byte, 100)), iface(147),
				enhanced(0, 1_000_000_000_500_000, ips[0]), enhanced(0, 1_000_000_000_500_000, ips[1]), enhanced(3, 0, []byte("what is this")),
				enhanced(1, 1_000_000_001_000_000_007, null), enhanced(2, 999_999_002<<10|512, ips[3]),
				section, iface(linkRaw), ngBlock(o, blockSimple, append(o.AppendUint32(nil, uint32(len(ips[2]))), ips[2]...)))
			r := newRecord(t)
			if err := ReadCapture(context.Background(), bytes.NewReader(file), ReadOptions{}, r); err != nil {
				t.Fatal(err)
			}
			if len(r.packets) != 2 || !slices.Equal(r.trouble(), []string{"#0 note frames of link type 147 were left out"}) {
				t.Fatalf("%q", r.log)
			}
			if p := r.packets[0]; !p.at.Equal(time.Unix(1_000_000_001, 7)) || p.frame != 4 {
				t.Errorf("%v, frame %d", p.at, p.frame)
			}
			if p := r.packets[1]; !p.at.Equal(time.Unix(1_000_000_002, 500_000_000)) || p.dir != packet.ServerToClient {
				t.Errorf("%v, frame %d", p.at, p.frame)
			}
			for n := range len(file) - 1 {
				_ = ReadCapture(context.Background(), bytes.NewReader(file[:n]), ReadOptions{}, Discard{})
			}
			err := ReadCapture(context.Background(), bytes.NewReader(append(file, enhanced(9, 0, nil)...)), ReadOptions{}, Discard{})
			if err == nil || !strings.Contains(err.Error(), "interface 9") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestStrings checks that no name is empty.
func TestStrings(t *testing.T) {
	for i := range 256 {
		f := Fault{Rule: &FaultRule{Action: Action(i)}}
		if Closer(i).String() == "" || Action(i).String() == "" || f.String() == "" {
			t.Errorf("%d has no name", i)
		}
	}
}
